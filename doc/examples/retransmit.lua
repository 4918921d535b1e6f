-- What happens on the wire when a connection begins to lose packets?
--
--   tracer retransmit.lua HOST PORT [many=20]
local host, port, many = t.args { "host:address", "port:port", "many:integer=20" }

return {
  collect = {
    t.ftrace { name = "tcp", keep = "4M", "tcp:tcp_retransmit_skb", "sock:inet_sock_set_state" },
    t.packets { host = host, port = port, keep = "30s" },
    t.files { name = "counters", every = "1s", "/proc/net/snmp", "/proc/net/netstat" },
  },
  stop = {
    t.event { name = "lossy", "tcp:tcp_retransmit_skb", filter = "dport == " .. port,
              hits = many, within = "5s" },
  },
}
