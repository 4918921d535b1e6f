-- Who sends the deadly signal to a process, and what did it do before?
--
--   tracer killed.lua PID
local pid = t.args { "pid:pid" }

return {
  collect = {
    t.ftrace { name = "its", pids = pid, keep = "8M", "signal:*", "sched:sched_process_*" },
    t.ftrace { name = "signals", keep = "1M", t.event { "signal:signal_generate", stack = true } },
    t.files { name = "sender", t.try { "/proc/{common_pid}/status", "/proc/{common_pid}/cmdline" } },
    t.files { name = "process", at = "both", t.try("/proc/" .. pid .. "/status") },
  },
  stop = {
    t.event { name = "killed", "signal:signal_generate",
              filter = "pid == " .. pid .. " && (sig == 9 || sig == 15)" },
  },
  post = "500ms",
}
