-- Who waits for memory, and where has it gone?
--
--   tracer memory-pressure.lua [least=128M] [stall=1s]
--
-- Stops when tasks wait for memory half of the time, or when less than LEAST is available for ten seconds.
local least, stall = t.args { "least:size=128M", "stall:duration=1s" }

return {
  collect = {
    t.ftrace {
      name = "reclaim", keep = "32M",
      t.event { "vmscan:mm_vmscan_direct_reclaim_begin", stack = true },
      "vmscan:mm_vmscan_direct_reclaim_end", "oom:*",
      t.try { "vmscan:mm_vmscan_kswapd_*", "compaction:mm_compaction_begin", "compaction:mm_compaction_end" },
    },
    t.ftrace { name = "processes", keep = "4M", "sched:sched_process_fork", "sched:sched_process_exec", "sched:sched_process_exit" },
    t.files {
      name = "memory", every = "1s", keep = "30m",
      "/proc/meminfo", "/proc/vmstat", "/proc/buddyinfo", "/proc/loadavg", t.try "/proc/pressure/*",
    },
    t.files {
      name = "tasks", max = "64K",
      "/proc/zoneinfo", t.try { "/proc/slabinfo", "/proc/[1-9]*/statm", "/proc/[1-9]*/comm", "/sys/fs/cgroup/*/memory.stat" },
    },
    t.log "kernel",
  },
  stop = {
    t.pressure { name = "stall", "memory", some = stall, per = "2s" },
    t.gauge { name = "little is left", "/proc/meminfo", line = "MemAvailable", below = least, hold = "10s" },
    t.event { name = "out of memory", "oom:mark_victim" },
  },
  post = "500ms",
}
