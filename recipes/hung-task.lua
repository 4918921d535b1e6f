-- Which task hung in the kernel, and what was it waiting for?
--
--   tracer hung-task.lua [keep=64M]
--
-- Stops when the kernel reports a task that has not run for kernel.hung_task_timeout_secs, which must not be 0. The ring
-- then tells what ran before it went to sleep if it is large enough to reach back that far.
local keep = t.args { "keep:size=64M" }

return {
  collect = {
    t.ftrace {
      name = "hung", keep = "1M",
      t.event { "sched:sched_process_hang", stack = true },
      "printk:console",
    },
    t.ftrace {
      name = "blocked", keep = keep,
      t.event { "sched:sched_switch", filter = "prev_state & 2", stack = true }, -- uninterruptible sleep
    },
    t.files {
      name = "samples", every = "10s", keep = "30m", "/proc/loadavg", "/proc/diskstats",
      t.try "/proc/pressure/io",
    },
    t.files {
      name = "task", "/proc/locks",
      t.try { "/proc/{pid}/stack", "/proc/{pid}/wchan", "/proc/{pid}/status" },
    },
    t.log { "kernel", keep = "8M" },
  },
  stop = {
    t.event { name = "hung task", "sched:sched_process_hang" },
    t.line { name = "lockup", text = "blocked for more than" },
  },
  post = "1s",
}
