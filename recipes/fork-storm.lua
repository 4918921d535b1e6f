-- Who starts so many processes?
--
--   tracer fork-storm.lua [limit=1000]
--
-- Stops when more than LIMIT of them are started in a second, three seconds long.
local limit = t.args { "limit:integer=1000" }

return {
  collect = {
    t.ftrace {
      name = "processes", keep = "32M",
      "sched:sched_process_fork", "sched:sched_process_exec", "sched:sched_process_exit",
    },
    t.ftrace { name = "signals", keep = "4M", "signal:signal_generate" },
    t.files { name = "load", every = "1s", "/proc/loadavg", "/proc/stat", t.try "/proc/pressure/cpu" },
    t.files { name = "tasks", max = "64K", t.try { "/proc/[1-9]*/stat", "/proc/[1-9]*/cmdline" } },
    t.log "kernel",
  },
  stop = t.rate { name = "fork storm", t.event "sched:sched_process_fork", above = limit, per = "1s", hold = "3s" },
}
