// Errors a person meets. Sockets speak Node's own codes (ECONNREFUSED …); everything else is a TunnelError, whose
// `code` is stable and whose message names the cause and the next thing to try. docs/errors.md is generated from this table.

/** Every code, with what it means and what to do. The text is documentation; the message of an error is more precise. */
export const errorCodes = {
  CONFIG_UNREADABLE: {
    means: 'The configuration, a key file or another input file cannot be read.',
    remedy: 'Check the path and its permissions.',
  },
  CONFIG_INVALID: {
    means:
      'The configuration, or the file of --auth-file, has a line that cannot be used. The message names file, line, the thing and the remedy.',
    remedy: 'Correct that line.',
  },
  CONFIG_NO_PRIVATE_KEY: {
    means: 'Neither the configuration nor the environment nor a key file gives a private key.',
    remedy: 'Add PrivateKey, set TUNLESS_PRIVATE_KEY, or pass --private-key-file.',
  },
  USAGE: {
    means: 'The command line, or an argument of a call, cannot be used.',
    remedy: 'See --help, or the documentation of the call.',
  },
  TUNNEL_KEY_IN_USE: {
    means: 'Another process of this user already runs a tunnel with this private key.',
    remedy: 'Stop the process that the message names, use its tunnel, or give this one a key of its own.',
  },
  TUNNEL_CLOSED: {
    means: 'The tunnel was closed before, or while, this was asked of it.',
    remedy: 'Open a new tunnel.',
  },
  CONTROL_DIRECTORY_UNSAFE: {
    means: 'The directory for control sockets belongs to someone else or is open to others.',
    remedy: 'Remove it, or set XDG_RUNTIME_DIR to a private directory.',
  },
  UDP_BIND_FAILED: {
    means: 'The UDP socket of the tunnel cannot be bound; most often ListenPort is taken.',
    remedy: 'Stop the other program, or choose another ListenPort (0 takes a free one).',
  },
  LISTEN_FAILED: {
    means: "A port or unix socket of -D or -L, or a port of -R on the tunnel's addresses, cannot be listened on.",
    remedy: 'Stop the other program, or choose another port (0 takes a free one) or path.',
  },
  PROXY_NOT_LOOPBACK: {
    means: 'A proxy without credentials was asked for on an address that other hosts can reach.',
    remedy: 'Bind it to 127.0.0.1, [::1] or a unix socket, or give it users with --auth-file.',
  },
  ENDPOINT_UNRESOLVED: {
    means: "The name in a peer's Endpoint has no address.",
    remedy: "Check the name and this host's DNS.",
  },
  HANDSHAKE_TIMEOUT: {
    means: 'No peer completed a handshake in time. The message says what was sent and what was heard.',
    remedy: 'Check the keys, the endpoint and whether UDP may leave this host.',
  },
  TARGET_REFUSED: {
    means: 'The tunnel stands; the target refused the connection.',
    remedy: 'Check that the service runs and listens on the address in the tunnel.',
  },
  TARGET_TIMEOUT: {
    means: 'The tunnel stands; the target did not answer in time.',
    remedy:
      "Check the target's address and firewall, the routes back to this tunnel's address, and whether the other side has that in its AllowedIPs.",
  },
  TARGET_UNREACHABLE: {
    means: 'The tunnel stands; a host behind it says that the target cannot be reached.',
    remedy: "Check the target's address and the routes of the peer.",
  },
  NO_ROUTE: {
    means: "No peer's AllowedIPs cover the address.",
    remedy: 'Use an address from the AllowedIPs, or extend them.',
  },
  UNKNOWN_HOST: {
    means:
      "The name is neither a peer's Name nor a Host of the configuration, and no DNS server in the tunnel knows it.",
    remedy: 'Check the name, use an address, or add Name, Host or DNS to the configuration.',
  },
  DNS_UNAVAILABLE: {
    means: 'No DNS server in the tunnel gave an answer, neither an address nor that the name does not exist.',
    remedy:
      "Check DNS and DNSRoute, the servers' place in the AllowedIPs, and whether they serve this tunnel's address.",
  },
  TRACE_FILE_REFUSED: {
    means: 'The file of --keylog or --pcap cannot be written, or others could read it.',
    remedy: 'Name a new file, or remove the permissions of group and others.',
  },
  UAPI_SOCKET_FAILED: {
    means: 'The socket of --name or --uapi, by which wg shows and changes the tunnel, cannot be made.',
    remedy: 'Run as root, choose another name, or name a path of your own with --uapi.',
  },
  CRYPTO_UNAVAILABLE: {
    means: 'The crypto backend that was asked for needs what this runtime lacks or forbids.',
    remedy: 'Name no backend: the fastest that works is taken.',
  },
  NO_SUCH_TUNNEL: {
    means: 'No interface or tunnel of that name or path answers.',
    remedy: 'Run `tunless show` without a name: it lists those that do.',
  },
  BENCH_WRONG_RESULT: {
    means:
      'A benchmark compared results with vectors, or with what was sent, and one differs: nothing of it was timed.',
    remedy: 'Report it with the message, the version of Node and the processor: something computes wrongly here.',
  },
  TUNNEL_NOT_STOPPED: {
    means: 'The process that runs the tunnel does not end it for others, or did not end in time.',
    remedy: 'End that process, which the message names.',
  },
  LOG_FAILED: {
    means: 'The file or the service of --connection-log cannot be written, or not be read by `tunless policy suggest`.',
    remedy: 'Check its path and directory, or that the syslog daemon runs.',
  },
  READY_FILE_FAILED: {
    means: 'The file of --ready-file or --pid-file cannot be written.',
    remedy: 'Check its directory.',
  },
  REPORT_FAILED: {
    means: 'The file of `tunless policy test --format FORMAT=FILE` cannot be written.',
    remedy: 'Check its directory.',
  },
  POLICY_UNREADABLE: {
    means: 'The file of --policy or --netmap cannot be read. Nothing is opened without the policy that was asked for.',
    remedy: 'Check the path and its permissions.',
  },
  POLICY_INVALID: {
    means: 'The policy file has errors. The message names line, column, the thing and the remedy.',
    remedy: 'Correct these lines; `tunless policy check` shows all of them.',
  },
  NETMAP_INVALID: {
    means:
      'The netmap, a file or what the configuration says of its peers, cannot be used: a name, an address or a key is claimed twice, a tag has no owner in the policy, or the file has an error.',
    remedy: 'Correct what the message names.',
  },
  POLICY_DENIED: {
    means:
      'No rule of the policy allows this connection, here or at the other side. The message shows the missing rule.',
    remedy: 'Have the rule added to the policy file, or reach the target from a node that may.',
  },
  POLICY_NOT_ENFORCED: {
    means: 'The command was told to keep to a policy, and the running tunnel that it would join does not enforce it.',
    remedy: 'Restart that tunnel with --policy, or leave --policy out here.',
  },
} as const

/** Stable, machine-readable reason of a {@link TunnelError}. */
export type TunnelErrorCode = keyof typeof errorCodes

/** An error of the tunnel itself, with a stable `code` and a message that names the cause and the next thing to try. */
export class TunnelError extends Error {
  override readonly name = 'TunnelError'
  readonly code: TunnelErrorCode

  constructor(code: TunnelErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
