-- Which task hung in the kernel, and what was it waiting for?
--
--   tracer hung-task.lua [keep=64M]
--
-- Stops when the kernel finds a task that has waited for kernel.hung_task_timeout_secs, which must not be 0, or a CPU
-- that is stuck. The ring "blocked" tells where the task went to sleep and what ran before, if it is large enough to
-- reach back that far; "stacks" where each thread was at the stop: one of them holds what the hung one waits for.
local keep = t.args { "keep:size=64M" }

return {
  collect = {
    t.ftrace { name = "hung", keep = "1M", "sched:sched_process_hang", "printk:console" },
    t.ftrace {
      name = "blocked", keep = keep,
      t.event { "sched:sched_switch", filter = "prev_state & 2", stack = true }, -- uninterruptible sleep
    },
    t.files {
      name = "samples", every = "10s", keep = "30m", "/proc/loadavg", "/proc/diskstats",
      t.try "/proc/pressure/io",
    },
    -- of all threads: the event is one of khungtaskd, so {pid} would not be the task that hung
    t.tasks { name = "stacks", max = "16M" },
    t.files { name = "system", "/proc/locks", "/proc/mounts", t.try "/proc/sys/kernel/hung_task_*" },
    t.log { "kernel", keep = "8M" },
  },
  stop = {
    t.event { name = "hung task", "sched:sched_process_hang" },
    t.line { name = "soft lockup", text = "soft lockup" },
    t.line { name = "rcu stall", text = "detected stall" },
  },
  post = "1s", -- the stack of the task in the kernel's log
}
