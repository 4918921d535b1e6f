-- Why does a connection stand still: data is sent, and nothing comes back?
--
--   tracer tcp-stall.lua HOST PORT [limit=3s]
--
-- HOST is the other side, PORT the service's, on whichever side that is. Stops when for LIMIT nothing has come from HOST
-- on a connection on which data was sent.
local host, port, limit = t.args { "host:address", "port:port", "limit:duration=3s" }

-- More than the heads: IPv4's total length less its own head and that of TCP; IPv6's length less that of TCP.
local data = "(ip and ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) > 0) or "
  .. "(ip6 and ip6[4:2] - ((ip6[52] & 0xf0) >> 2) > 0)"

return {
  collect = {
    t.packets { "tcp", host = host, port = port, keep = "64M" },
    t.ftrace {
      name = "tcp", keep = "8M",
      "tcp:tcp_retransmit_skb", "tcp:tcp_receive_reset", "tcp:tcp_send_reset", "sock:inet_sock_set_state",
      t.try { "tcp:tcp_probe", "tcp:tcp_bad_csum" },
    },
    t.files {
      name = "network", every = "1s",
      "/proc/net/snmp", "/proc/net/netstat", "/proc/net/dev", "/proc/net/sockstat", t.try "/proc/net/softnet_stat",
    },
    t.sockets { host = host, port = port, protocol = "tcp", every = "1s", at = "both" },
    t.files { name = "routes", at = "both", t.try { "/proc/net/arp", "/proc/net/route", "/proc/net/ipv6_route" } },
    t.log "kernel",
  },
  stop = t.expect {
    name = "stall",
    on = t.packet { "tcp and (" .. data .. ")", dst = host, port = port },
    need = t.packet { "tcp", src = host, port = port },
    key = { { on = "sport", need = "dport" }, { on = "dport", need = "sport" } },
    within = limit,
  },
}
