-- How did a process end, and what did it do last?
--
--   tracer process-died.lua COMM [keep=32M]
--
-- Stops when a process of that name (15 bytes at most, as in /proc/PID/comm) crashes, is killed, or ends.
local comm, keep = t.args { "comm:string", "keep:size=32M" }
local its = 'comm == "' .. comm .. '"'

return {
  collect = {
    t.ftrace { name = "calls", keep = keep, comm = comm, "raw_syscalls:sys_enter", "raw_syscalls:sys_exit" },
    t.ftrace {
      name = "ends", keep = "4M",
      t.event { "signal:signal_generate", filter = its },
      t.event { "signal:signal_deliver", filter = 'COMM == "' .. comm .. '"' },
      t.event { "sched:sched_process_exit", filter = its },
      "sched:sched_process_exec", "oom:mark_victim",
    },
    t.files { name = "load", every = "1s", "/proc/meminfo", "/proc/loadavg", t.try "/proc/pressure/*" },
    t.files { name = "limits", "/proc/sys/kernel/core_pattern", t.try "/proc/sys/kernel/pid_max" },
    t.log "kernel",
  },
  stop = {
    t.crash { name = "crash", comm = comm },
    t.event { name = "killed", "signal:signal_generate", filter = its .. " && sig == 9" },
    t.exit { name = "end", comm = comm },
  },
  post = "200ms",
}
