-- Which freeze lasts too long, and what does the backup software do meanwhile?
--
--   tracer frozen.lua [agent=1]
local agent = t.args { "agent:pid=1" }

return {
  fsfreeze_safe = true,
  collect = {
    t.log "freezes",
    t.syscalls { name = "agent", pid = agent },
    t.files { every = "200ms", "/proc/loadavg", "/proc/diskstats", "/proc/vmstat" },
    t.tasks { name = "asleep", state = "D", every = "1s" },
    t.tasks { name = "holder", pid = "{pid}" },
  },
  stop = { t.frozen { over = "30s" } },
  max_time = "20m",
}
