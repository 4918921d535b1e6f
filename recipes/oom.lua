-- Which task was killed for lack of memory, and what used it up?
--
--   tracer oom.lua
--
-- Stops when the kernel picks a victim, for the whole machine or for a memory cgroup. The samples tell how the machine's
-- memory went before, the kernel's log who asked for more, in which cgroup, and what each task had (vm.oom_dump_tasks).
return {
  collect = {
    t.ftrace {
      name = "oom", keep = "16M",
      t.event { "oom:mark_victim", stack = true },
      "oom:*", "vmscan:mm_vmscan_direct_reclaim_*", "sched:sched_process_exit",
      t.try {
        "vmscan:mm_vmscan_memcg_reclaim_*", "vmscan:mm_vmscan_kswapd_*",
        "compaction:mm_compaction_begin", "compaction:mm_compaction_end",
      },
    },
    t.files {
      name = "memory", every = "1s", keep = "10m", "/proc/meminfo", "/proc/vmstat", "/proc/buddyinfo",
      t.try "/proc/pressure/memory",
    },
    -- what the kernel itself has: who grew from start to stop is the leak
    t.files { name = "slabs", at = "both", "/proc/zoneinfo", t.try "/proc/slabinfo" },
    t.log "kernel",
  },
  stop = {
    t.event { name = "out of memory", "oom:mark_victim" },
  },
  post = "1s", -- the victim's end; /proc has nothing of it a moment after the event
}
