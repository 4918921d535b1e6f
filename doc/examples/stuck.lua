-- Who holds a connection up, and what does its process do then?
--
--   tracer --allow-exec stuck.lua HOST PORT LOG
local host, port, log = t.args { "host:address", "port:port", "log:path" }

return {
  collect = {
    t.ftrace { "tcp:tcp_retransmit_skb", "sock:inet_sock_set_state", "sched:sched_process_exec" },
    t.sockets { host = host, port = port, every = "1s", at = "both" },
    t.tasks { name = "waiting", state = "D", every = "1s" },
    t.tasks { name = "culprit", pid = "{pid}" },
    t.log { name = "log", log },
    t.exec { "ip", "-s", "neighbor", deadline = "2s" },
  },
  stop = {
    t.line { name = "complaint", log, regex = "connection to .* (lost|timed out)" },
    t.exit { name = "end", exe = "/usr/sbin/service" },
    t.hung { name = "hangs", over = "30s" },
    t.rate { name = "resent", t.event "tcp:tcp_retransmit_skb", above = 100, per = "1s" },
  },
}
