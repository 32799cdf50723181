// PostgreSQL with pg: `stream` makes the socket of each connection, so that a pool goes through the tunnel as well.
//   DATABASE_URL=postgres://deploy:secret@db.internal/app node pg.js deploy.conf
// prints
//   migrations: 001-releases
import pg from 'pg'
import { openTunnel } from 'tunless'

const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  stream: () => new tunnel.Socket(),
})
try {
  await pool.query('CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)')
  await pool.query('INSERT INTO migrations VALUES ($1) ON CONFLICT DO NOTHING', ['001-releases'])
  const { rows } = await pool.query('SELECT name FROM migrations ORDER BY name')
  console.log('migrations:', ...rows.map(row => row.name))
} finally {
  await pool.end()
  await tunnel.close()
}
