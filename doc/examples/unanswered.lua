-- Which request gets no answer?
--
--   tracer unanswered.lua 10.0.0.5 2049 [within=200ms]
local ip, port, within = t.args { "ip:address", "port:port", "within:duration=200ms" }

return {
  collect = {
    t.packets { host = ip, port = port, keep = "64M" },
    t.ftrace { name = "net", "net:netif_receive_skb", "net:net_dev_queue", "skb:kfree_skb" },
  },
  stop = {
    t.expect {
      name = "reply",
      on = t.packet { "udp", dst = ip, port = port },
      need = t.packet { "udp", src = ip, port = port },
      key = t.bytes { payload = 0, size = 4 }, -- the transaction's number, in both at the same place
      within = within,
    },
    t.silence { name = "server is gone", t.packet { src = ip, port = port }, over = "5s" },
  },
}
