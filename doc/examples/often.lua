-- Who forks so often, and does it go on?
--
--   tracer often.lua [limit=500]
local limit = t.args { "limit:integer=500" }

return {
  collect = t.ftrace { "sched:sched_process_fork", "sched:sched_process_exec", "sched:sched_process_exit" },
  stop = {
    t.rate { name = "fork storm", t.event "sched:sched_process_fork", above = limit, per = "1s", hold = "3s" },
    t.sequence {
      name = "born and killed", key = "pid", within = "100ms",
      t.event { "sched:sched_process_exec" },
      t.event { "signal:signal_generate", filter = "sig == 9" },
    },
    t.all {
      name = "both at once", within = "10s", arm_after = "1m",
      t.event "oom:mark_victim",
      t.line { text = "page allocation failure" },
    },
  },
}
