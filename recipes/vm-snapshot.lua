-- What held up the freeze of file systems for a snapshot, or its thaw, and how was the machine meanwhile?
--
--   tracer vm-snapshot.lua [limit=60s] [every=1s] [asleep=1s] [keep=10m] [agent=0]
--
-- Stops by itself when a file system is frozen for longer than LIMIT, and names who froze it; else the backup software
-- ends it with SIGTERM. EVERY is how often samples are taken, ASLEEP how often all tasks are looked through for those
-- that cannot be woken. AGENT is the process ID of that software: its system calls are recorded too, without holding it
-- up. The bundle is written when nothing is frozen; with -o on a tmpfs, like /dev/shm, at once.
local limit, every, asleep, keep, agent = t.args {
  "limit:duration=60s", "every:duration=1s", "asleep:duration=1s", "keep:duration=10m", "agent:integer=0",
}

local calls
if agent ~= 0 then
  calls = {
    t.syscalls { name = "agent", pid = agent, keep = "32M" },
    t.tasks { name = "agent-tasks", pid = agent, at = "both" }, -- in what it hangs since before the start, too
    t.files {
      name = "agent-files", every = every, keep = keep,
      t.try { "/proc/" .. agent .. "/stat", "/proc/" .. agent .. "/status", "/proc/" .. agent .. "/io" }, -- until it ends
    },
  }
end

return {
  fsfreeze_safe = true,
  collect = {
    t.log "freezes",
    t.log { "kernel", keep = "8M" },
    t.files {
      name = "samples", every = every, keep = keep,
      "/proc/loadavg", "/proc/stat", "/proc/meminfo", "/proc/vmstat", "/proc/diskstats", "/proc/softirqs", "/proc/interrupts",
      "/proc/net/dev", "/proc/net/snmp", "/proc/net/netstat", "/proc/net/softnet_stat",
      t.try { "/proc/schedstat", "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory" },
    },
    -- who waits for a file system that is frozen, and where
    t.tasks { name = "asleep", state = "D", every = asleep, keep = keep },
    t.tasks { name = "holder", pid = "{pid}" },
    t.files { name = "system", at = "both", "/proc/mounts", "/proc/locks", "/proc/partitions", "/proc/swaps" },
    calls or {},
  },
  stop = { t.frozen { name = "frozen for too long", over = limit } },
  max_time = "20m",
}
