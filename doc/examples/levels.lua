-- When does memory run short, and who dies of it?
--
--   tracer levels.lua [least=256M]
local least = t.args { "least:size=256M" }

return {
  collect = {
    t.ftrace { "vmscan:mm_vmscan_direct_reclaim_*", "signal:signal_deliver", "oom:*" },
    t.files { every = "1s", "/proc/meminfo", "/proc/vmstat" },
  },
  stop = {
    t.gauge { name = "memory", "/proc/meminfo", line = "MemAvailable", below = least, hold = "5s" },
    t.pressure { "memory", full = "1s", per = "4s" },
    t.crash { name = "crash" },
    t.appears { name = "dump", "/var/crash/*" },
  },
}
