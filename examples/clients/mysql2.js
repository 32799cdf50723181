// MySQL and MariaDB with mysql2: `stream` makes the connection of each client, so that a pool goes through the tunnel as well.
//   DATABASE_URL=mysql://deploy:secret@db.internal/app node mysql2.js deploy.conf
// prints
//   migrations: 001-releases
import mysql from 'mysql2/promise'
import { openTunnel } from 'tunless'

const tunnel = await openTunnel(process.argv[2] ?? { text: process.env.TUNLESS_CONFIG })
const pool = mysql.createPool({
  uri: process.env.DATABASE_URL,
  stream: ({ config: { host, port } }) => tunnel.connect({ host, port: Number(port) }),
})
try {
  await pool.query('CREATE TABLE IF NOT EXISTS migrations (name varchar(100) PRIMARY KEY)')
  await pool.execute('INSERT IGNORE INTO migrations VALUES (?)', ['001-releases'])
  const [rows] = await pool.query('SELECT name FROM migrations ORDER BY name')
  console.log('migrations:', ...rows.map(row => row.name))
} finally {
  await pool.end()
  await tunnel.close()
}
