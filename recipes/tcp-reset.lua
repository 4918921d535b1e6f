-- Who broke the TCP connections with HOST off, and what happened just before?
--
--   tracer tcp-reset.lua HOST PORT
--
-- Stops when a connection with that port, at either end, receives a reset, or is closed without the handshake of an
-- orderly close: a reset that was sent, or a timeout. The stacks tell which code did it, the packets what was said before.
local host, port = t.args { "host:address", "port:port" }
local either = "sport == " .. port .. " || dport == " .. port

return {
  collect = {
    t.ftrace {
      name = "tcp", keep = "16M",
      t.event { "tcp:tcp_send_reset", "tcp:tcp_receive_reset", stack = true },
      "tcp:tcp_retransmit_skb", "tcp:tcp_destroy_sock", "sock:inet_sock_set_state",
      t.try { "skb:kfree_skb", "tcp:tcp_bad_csum" },
    },
    t.packets { name = "resets", host = host, port = port, tcp = "rst", keep = "4M" },
    t.packets { name = "connection", host = host, port = port, keep = "64M" },
    t.files {
      at = "both", "/proc/net/snmp", "/proc/net/netstat", "/proc/net/sockstat",
      t.try { "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/nf_conntrack" },
    },
    t.log "kernel",
  },
  stop = {
    t.event { name = "reset received", "tcp:tcp_receive_reset", filter = either },
    t.event {
      name = "connection broken off", "sock:inet_sock_set_state",
      -- from established (1) or half closed (8) straight to closed (7)
      filter = "newstate == 7 && (oldstate == 1 || oldstate == 8) && (" .. either .. ")",
    },
  },
  post = "200ms",
}
