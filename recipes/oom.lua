-- Which task was killed for lack of memory, and what used it up?
--
--   tracer oom.lua
--
-- Stops when the kernel picks a victim. The samples tell how the memory went, the kernel's log has its table of tasks.
return {
  collect = {
    t.ftrace {
      name = "oom", keep = "16M",
      t.event { "oom:mark_victim", stack = true },
      "oom:*", "vmscan:mm_vmscan_direct_reclaim_*", "sched:sched_process_exit",
      t.try { "vmscan:mm_vmscan_kswapd_*", "compaction:mm_compaction_begin", "compaction:mm_compaction_end" },
    },
    t.files {
      name = "memory", every = "1s", keep = "10m", "/proc/meminfo", "/proc/vmstat", "/proc/buddyinfo",
      t.try "/proc/pressure/memory",
    },
    t.files { name = "victim", "/proc/zoneinfo", t.try { "/proc/slabinfo", "/proc/{pid}/status", "/proc/{pid}/cgroup" } },
    t.log "kernel",
  },
  stop = {
    t.event { name = "out of memory", "oom:mark_victim" },
  },
  post = "1s", -- the victim's end and the table of tasks
}
