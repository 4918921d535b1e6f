-- What can be told of what does not happen, how often, and in which order?
local port = 2049
local ask = t.packet { "udp", dst = "10.0.0.5", port = port }

return {
  collect = t.log "kernel",
  stop = {
    t.silence { name = "quiet", ask, over = "3s", arm_after = "1m" },
    t.expect {
      on = ask, need = t.event { "signal:signal_generate", filter = "sig == 9" }, within = "200ms",
      key = { { on = t.bytes { payload = 24 }, need = "pid" } },
    },
    t.rate { t.line { text = "error" }, above = 5, per = "1m", hold = "2m" },
    t.sequence { key = "pid", within = "1s", hits = 2, t.event "sched:sched_process_exec", t.event "sched:sched_process_exit" },
    t.all { name = "both", t.event "oom:mark_victim", t.silence { ask, over = "1s", from = "start" } },
  },
}
