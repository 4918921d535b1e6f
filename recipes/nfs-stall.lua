-- Which NFS request is not answered, and what became of it?
--
--   tracer nfs-stall.lua SERVER [limit=30s] [port=2049]
--
-- Runs on the client. Stops when a call to the server has not ended after LIMIT, or when the kernel says that the server
-- does not respond.
local server, limit, port = t.args { "server:address", "limit:duration=30s", "port:port=2049" }

return {
  collect = {
    t.ftrace {
      name = "rpc", keep = "32M",
      "sunrpc:rpc_task_begin", "sunrpc:rpc_task_end", "sunrpc:rpc_task_sleep", "sunrpc:rpc_task_wakeup",
      "sunrpc:xprt_*", t.try { "sunrpc:rpc_*status", "sunrpc:rpc_socket_*" },
    },
    t.ftrace { name = "tcp", keep = "4M", "tcp:tcp_retransmit_skb", "sock:inet_sock_set_state" },
    t.packets { host = server, port = port, keep = "64M", payload = "256B" },
    t.files { name = "load", every = "1s", "/proc/net/rpc/nfs", "/proc/self/mountstats", "/proc/net/netstat" },
    t.files { at = "both", "/proc/mounts", t.try "/sys/kernel/debug/sunrpc/rpc_clnt/*/tasks" },
    t.log "kernel",
  },
  stop = {
    t.expect {
      name = "call",
      on = t.event "sunrpc:rpc_task_begin", need = t.event "sunrpc:rpc_task_end", key = { "client_id", "task_id" },
      within = limit,
    },
    t.line { name = "not responding", text = "not responding" },
  },
  post = "1s",
}
