-- What a capture can stop at: the constructors of conditions, as t.fields describes them.
local types = require "t.types"
local packet = require "t.packet"

local label = {
  "name", types.label, shared = "condition", only = "stop",
  doc = "What the summary calls the condition, in 100 bytes at most; without it, a name is made of its fields.", from = "tracer-bundle(5)",
}
local hits = {
  "hits", types.count, shared = "condition", default = 1, only = "stop",
  doc = "How many times it has to be seen, up to 1000000.",
}
local within = {
  "within", types.duration, shared = "condition", only = "stop",
  doc = "The time in which that many hits have to come; without it, they are counted from the start.",
}

local arm_after = {
  "arm_after", types.duration, shared = "condition", only = "stop",
  doc = "The time from the start of the capture in which nothing counts.",
}

local function check_within(spec)
  if spec.within and spec.hits < 2 then
    return "within says in which time several hits have to come, so hits has to be 2 or more"
  end
end

local selectors = { event = true, line = true, packet = true, appears = true, pressure = true, crash = true, exit = true }

-- What a selector is called where nobody has named it.
local function selected(spec)
  return spec.event or spec.text or spec.regex or spec.filter or spec.path or spec.type
end

local function needs(spec, name, what)
  if spec[name] == nil then
    return name .. " has to say " .. what
  end
end

local fields = {}

fields.event = {
  role = "stop",
  selects = true,
  doc = "Selects events of the kernel: in t.ftrace they are recorded, in stop the first of them ends the capture.",
  example = [[
stop = t.event { "signal:signal_generate", filter = "sig == 9" }
]],
  what = {
    key = "events", each = "event", type = types.event, least = 1,
    doc = "One event; in t.ftrace also several, with wildcards.",
    from = "available_events of tracefs",
  },
  label,
  {
    "filter", types.text,
    doc = "Only the events that pass it.", from = "Documentation/trace/events.rst of the kernel",
  },
  {
    "stack", types.boolean, only = "collect",
    doc = "Whether the kernel's stack is recorded with each event.", from = "the trigger stacktrace of tracefs",
  },
  {
    "fetch", types.list(types.text),
    doc = "Arguments of a probe, like \"flags=%di:u32\".",
    from = "Documentation/trace/kprobetrace.rst of the kernel",
  },
  {
    "test", types.test, only = "stop", selects = true,
    doc = "A function of the record that decides on each event that has passed the filter.",
  },
  hits,
  within,
  arm_after,
  default_name = function(spec) return spec.event:sub(1, 100) end,
  finish = function(spec)
    for _, item in ipairs(spec.events) do
      if spec.fetch and not item.event:find("^[ku]probe:") then
        return "fetch is for kprobe: and uprobe: events, '" .. item.event .. "' has its own fields"
      end
    end
    return check_within(spec)
  end,
}

fields.packet = {
  role = "stop",
  selects = true,
  doc = "Fires at a packet of the network.",
  example = [[
stop = t.packet { "icmp", src = "10.0.0.5" }
]],
  what = packet.filter,
  label,
  packet.fields[1], packet.fields[2], packet.fields[3], packet.fields[4], packet.fields[5], packet.fields[6],
  hits,
  within,
  arm_after,
  default_name = function(spec) return (spec.filter or "packet"):sub(1, 100) end,
  finish = check_within,
}

fields.line = {
  role = "stop",
  selects = true,
  doc = "Fires at a line of a log.",
  example = [[
stop = t.line { "kernel", text = "WARNING:" }
]],
  what = {
    key = "log", type = types.log, most = 1, default = "kernel",
    doc = "The log; \"kernel\" without it.", from = "t.log",
  },
  label,
  { "text", types.text, needed = true, doc = "A text that the line contains." },
  { "regex", types.text, alternative = true, doc = "A regular expression that the line matches.", from = "pcre2pattern(3)" },
  hits,
  within,
  arm_after,
  default_name = function(spec) return (spec.text or spec.regex):sub(1, 100) end,
  finish = function(spec)
    if not spec.text and not spec.regex then
      return 'text or regex has to say which line: text = "BUG:"'
    end
    spec.type = spec.log ~= "kernel" and "textline" or nil
    return check_within(spec)
  end,
}

fields.silence = {
  role = "stop",
  doc = "Fires when something has not been seen for some time.",
  example = [[
stop = t.silence { t.packet { src = "10.0.0.5" }, over = "5s" }
]],
  what = {
    key = "of", type = types.selector, least = 1, most = 1, accepts = selectors,
    doc = "What has not been seen.",
  },
  label,
  { "over", types.duration, needed = true, doc = "For how long it has not been seen." },
  {
    "from", types.choice("first", "start"), default = "first",
    doc = "Where the time begins to count: at the first one seen, or at the start of the capture.",
  },
  hits,
  within,
  arm_after,
  default_name = function(spec) return ("no " .. selected(spec.of)):sub(1, 100) end,
  finish = function(spec)
    return needs(spec, "over", "for how long nothing is seen") or check_within(spec)
  end,
}

fields.expect = {
  role = "stop",
  doc = "Fires when what must follow something has not come by its deadline.",
  example = [[
stop = t.expect {
  on = t.event "block:block_rq_issue",
  need = t.event "block:block_rq_complete",
  key = { "dev", "sector" },
  within = "2s",
}
]],
  label,
  { "on", types.selector, needed = true, doc = "What opens a question." },
  { "need", types.selector, needed = true, doc = "What answers it." },
  {
    "key", types.key,
    doc = "What a question and its answer have in common; without it, any answer will do.",
  },
  { "within", types.duration, needed = true, doc = "The time from the question to the deadline." },
  hits,
  arm_after,
  default_name = function(spec) return (selected(spec.need) .. " after " .. selected(spec.on)):sub(1, 100) end,
  finish = function(spec)
    return needs(spec, "on", "what it is that something must follow") or needs(spec, "need", "what must follow")
      or needs(spec, "within", "in which time it must follow")
  end,
}

fields.rate = {
  role = "stop",
  doc = "Fires when something is seen more often, or less often, than a limit.",
  example = [[
stop = t.rate { t.event "sched:sched_process_fork", above = 500, per = "1s", hold = "3s" }
]],
  what = {
    key = "of", type = types.selector, least = 1, most = 1, accepts = selectors,
    doc = "What is counted.",
  },
  label,
  { "above", types.limit, needed = true, doc = "The number that has to be exceeded in some stretch of per." },
  { "below", types.count, alternative = true, doc = "The number that is not reached in some stretch of per." },
  { "per", types.duration, needed = true, doc = "The length of the stretch in which they are counted." },
  { "hold", types.duration, doc = "For how long it has to be so without a break." },
  hits,
  within,
  arm_after,
  default_name = function(spec) return ("rate of " .. selected(spec.of)):sub(1, 100) end,
  finish = function(spec)
    if not spec.above == not spec.below then
      return "one of above and below has to say how often"
    end
    return needs(spec, "per", "in which time") or check_within(spec)
  end,
}

local parts = {
  event = true, line = true, packet = true, appears = true, pressure = true, crash = true, exit = true, hung = true, frozen = true,
  silence = true, expect = true, rate = true, gauge = true, all = true, sequence = true,
}

fields.all = {
  role = "stop",
  doc = "Fires when several conditions have become true, in any order.",
  example = [[
stop = t.all {
  within = "10s",
  t.event "oom:mark_victim",
  t.line { text = "page allocation failure" },
}
]],
  what = {
    key = "of", each = "condition", type = types.conditions, least = 2, accepts = parts,
    doc = "The conditions, two to 16.",
  },
  label,
  { "within", types.duration, doc = "The time in which all of them have to become true; without it, there is no limit." },
  hits,
  arm_after,
  default_name = function(spec) return ("all of " .. #spec.of .. " conditions"):sub(1, 100) end,
}

fields.sequence = {
  role = "stop",
  doc = "Fires when several conditions have become true, one after the other.",
  example = [[
stop = t.sequence {
  key = "pid", within = "100ms",
  t.event "sched:sched_process_exec",
  t.event { "signal:signal_generate", filter = "sig == 9" },
}
]],
  what = {
    key = "of", each = "condition", type = types.conditions, least = 2, accepts = parts,
    doc = "The conditions in their order, two to 16.",
  },
  label,
  { "within", types.duration, doc = "The time in which all of them have to become true; without it, there is no limit." },
  {
    "key", types.key,
    doc = "What they all have in common, if they are events, packets or lines; each key has a sequence of its own.",
  },
  hits,
  arm_after,
  default_name = function(spec) return ("a sequence of " .. #spec.of .. " conditions"):sub(1, 100) end,
}

local every = {
  "every", types.duration, default = "1s", doc = "How often tracer looks, at most every 10ms.",
}

local function check_every(spec)
  if spec.every < 10000000 then
    return "every must be 10ms or more"
  end
end

fields.gauge = {
  role = "stop",
  doc = "Fires when a number in a file is above or below a limit.",
  example = [[
stop = t.gauge { "/proc/meminfo", line = "Dirty:", above = "2G", hold = "5s" }
]],
  what = {
    key = "path", type = types.path, least = 1, most = 1,
    doc = "The file.", from = "proc(5)",
  },
  label,
  { "line", types.text, doc = "How the line with the number begins; without it, the first line is taken." },
  {
    "column", types.count, doc = "Which word of the line is the number; without it, the first number is taken.",
  },
  {
    "regex", types.text, doc = "A regular expression whose first group is the number, instead of line and column.",
    from = "pcre2pattern(3)",
  },
  { "above", types.level "above", spread = true, needed = true, doc = "The limit that has to be exceeded." },
  { "below", types.level "below", spread = true, alternative = true, doc = "The limit that is not reached." },
  every,
  { "hold", types.duration, doc = "For how long it has to be so without a break." },
  hits,
  within,
  arm_after,
  default_name = function(spec) return (spec.of.path .. " " .. (spec.line or "")):gsub(" $", ""):sub(1, 100) end,
  finish = function(spec)
    if not spec.above == not spec.below then
      return "one of above and below has to be the limit"
    elseif spec.regex and (spec.line or spec.column) then
      return "regex stands for line and column: give the one or the others"
    end
    local why = check_every(spec) or check_within(spec)
    spec.of = { type = "file", path = spec.path, every = spec.every }
    spec.path, spec.every = nil, nil
    return why
  end,
}

fields.hung = {
  role = "stop",
  doc = "Fires when a task has slept in state D, where no signal wakes it, for some time without a break.",
  example = [[
stop = t.hung { comm = "postgres", over = "30s" }
]],
  label,
  { "over", types.duration, needed = true, doc = "For how long; 100ms at least." },
  { "comm", types.comm, doc = "Only tasks of this name." },
  hits,
  within,
  arm_after,
  default_name = function(spec) return spec.comm and spec.comm .. " hangs" or "a task hangs" end,
  finish = function(spec)
    if not spec.over then
      return "over has to say for how long"
    elseif spec.over < 100000000 then
      return "over is 100ms at least"
    end
    spec.of = { type = "tasks", every = math.min(spec.over // 4, 1000000000) }
    return check_within(spec)
  end,
}

fields.frozen = {
  role = "stop",
  doc = "Fires when a file system has been frozen for some time, or its freeze does not come to an end.",
  example = [[
stop = t.frozen { over = "30s" }
]],
  label,
  {
    "over", types.duration, needed = true, doc = "For how long, from when the freeze was asked for; 100ms at least.",
    from = "ioctl_fifreeze(2)",
  },
  hits,
  within,
  arm_after,
  default_name = function() return "frozen for too long" end,
  finish = function(spec)
    if not spec.over then
      return "over has to say for how long"
    elseif spec.over < 100000000 then
      return "over is 100ms at least"
    end
    spec.of = { type = "freezes" }
    return check_within(spec)
  end,
}

local codes = types.integer(0, 255, "an exit code from 0 to 255")

local function check_cgroup(spec)
  if spec.cgroup and spec.cgroup:find("^/sys/fs/cgroup") then
    return "cgroup is the path that /proc/PID/cgroup has, like \"/system.slice/cron.service\", not a directory"
  end
end

-- Whose end it is where the kernel cannot tell: what the condition `exit` of the plan looks at.
local function exit_of(spec)
  local by = spec.exe and "exe" or spec.cgroup and "cgroup" or "comm"
  spec.type = "exit"
  spec.ends = { type = "event", event = "sched:sched_process_exit" }
  spec.code = spec.code
    and { type = "event", event = "syscalls:sys_enter_exit_group", filter = "error_code == " .. spec.code }
  spec.begins = { type = "event", event = "task:task_newtask" }
  spec.changes = { type = "event", event = by == "cgroup" and "cgroup:cgroup_attach_task" or "sched:sched_process_exec" }
  spec.look = { type = "members", of = by .. " " .. spec[by], every = 1000000000 }
end

fields.exit = {
  role = "stop",
  type = "event",
  selects = true,
  doc = "Fires when a process ends.",
  example = [[
stop = t.exit { exe = "/usr/sbin/sshd" }
]],
  label,
  { "pid", types.pid, doc = "The process." },
  { "comm", types.comm, alternative = true, doc = "Any process of this name." },
  { "exe", types.path, alternative = true, doc = "Any process that runs this program.", from = "/proc/PID/exe in proc(5)" },
  { "cgroup", types.path, alternative = true, doc = "Any process of this cgroup, or of one below it.", from = "/proc/PID/cgroup" },
  { "code", codes, doc = "Only a process that ends itself with this exit code.", from = "exit_group(2)" },
  hits,
  within,
  arm_after,
  default_name = function(spec)
    return "end of " .. (spec.comm or spec.exe or spec.cgroup or spec.filter:match("pid == (%d+)") or "a process")
  end,
  finish = function(spec)
    local named = 0
    for _, by in ipairs { "pid", "comm", "exe", "cgroup" } do
      named = named + (spec[by] and 1 or 0)
    end
    if named > 1 then
      return "one of pid, comm, exe and cgroup says which"
    elseif named == 0 and not spec.code then
      return "pid, comm, exe, cgroup or code has to say which"
    elseif spec.code and spec.pid then
      return "code is of any process, or of one with that comm, exe or cgroup: the task that ends a process need not be its first"
    elseif spec.comm or spec.exe or spec.cgroup then
      exit_of(spec)
      return check_cgroup(spec) or check_within(spec)
    elseif spec.code then
      spec.event = "syscalls:sys_enter_exit_group"
      spec.filter = "error_code == " .. spec.code
      spec.code = nil
    else
      spec.event = "sched:sched_process_exit"
      spec.filter = "pid == " .. spec.pid
      spec.pid = nil
    end
    return check_within(spec)
  end,
}

fields.appears = {
  role = "stop",
  selects = true,
  doc = "Fires when a path appears that was not there before.",
  example = [[
stop = t.appears "/var/crash/*"
]],
  what = {
    key = "path", type = types.path, least = 1, most = 1,
    doc = "The path, with wildcards.", from = "glob(7)",
  },
  label,
  every,
  hits,
  within,
  arm_after,
  default_name = function(spec) return spec.path:sub(1, 100) end,
  finish = function(spec) return check_every(spec) or check_within(spec) end,
}

fields.pressure = {
  role = "stop",
  selects = true,
  doc = "Fires when tasks wait for memory, disks or the CPU for longer than a limit.",
  example = [[
stop = t.pressure { "memory", full = "1s", per = "4s" }
]],
  what = {
    key = "what", type = types.choice("memory", "io", "cpu"), least = 1, most = 1,
    doc = "What they wait for.", from = "Documentation/accounting/psi.rst of the kernel",
  },
  label,
  {
    "some", types.duration, needed = true, doc = "The time for which at least one task waits.",
  },
  {
    "full", types.duration, alternative = true, doc = "The time for which all tasks wait at once.",
  },
  {
    "per", types.duration, default = "2s", doc = "The length of the stretch in which they wait, 500ms to 10s.",
  },
  {
    "cgroup", types.path, doc = "Only the tasks of this cgroup: a directory of cgroup version 2.",
    from = "Documentation/admin-guide/cgroup-v2.rst of the kernel",
  },
  hits,
  within,
  arm_after,
  default_name = function(spec) return "pressure of " .. spec.what end,
  finish = function(spec)
    if not spec.some == not spec.full then
      return "one of some and full has to say for how long"
    elseif spec.per < 500000000 or spec.per > 10000000000 then
      return "per is from 500ms to 10s, the kernel knows no other"
    elseif (spec.some or spec.full) > spec.per then
      return "tasks cannot wait for longer than per"
    end
    return check_within(spec)
  end,
}

-- Signals that leave a core, by their numbers on most machines. What ends a process without one reaches it as a KILL,
-- whatever was sent.
local core_signals = { QUIT = 3, ILL = 4, TRAP = 5, ABRT = 6, BUS = 7, FPE = 8, SEGV = 11, XCPU = 24, XFSZ = 25, SYS = 31 }
local signal_kill = 9

-- Their numbers, sorted.
local function signal_numbers(names)
  local chosen, numbers = {}, {}
  for _, name in ipairs(names) do
    chosen[name] = true
  end
  for name, number in pairs(core_signals) do
    if chosen[name] or chosen.core or chosen.any then
      numbers[#numbers + 1] = number
    end
  end
  numbers[#numbers + 1] = chosen.any and signal_kill or nil
  table.sort(numbers)
  return numbers
end

local signal_names = { "core", "any" }
for name in pairs(core_signals) do
  signal_names[#signal_names + 1] = name
end

fields.crash = {
  role = "stop",
  type = "event",
  selects = true,
  doc = "Fires when a process dies of a signal that it does not handle.",
  example = [[
stop = t.crash { comm = "nginx", signals = { "SEGV", "ABRT" } }
]],
  label,
  { "comm", types.comm, doc = "Only processes of this name." },
  {
    "signals", types.list(types.one_of(signal_names, "a signal that leaves a core, like \"SEGV\", or \"core\" or \"any\"", "SIGNAL")), default = "core",
    doc = "The signals by name; \"core\" stands for all that leave a core, \"any\" for all that end a process.", from = "signal(7)",
  },
  hits,
  within,
  arm_after,
  default_name = function(spec)
    local comm = spec.filter:match('COMM == "(.*)"')
    return comm and "crash of " .. comm or "crash"
  end,
  finish = function(spec)
    local signals = {}
    if #spec.signals == 0 then
      return "signals has to name one at least"
    end
    for i, n in ipairs(signal_numbers(spec.signals)) do
      signals[i] = "sig == " .. n
    end
    spec.signals = nil
    spec.event = "signal:signal_deliver"
    spec.filter = "sa_handler == 0 && (" .. table.concat(signals, " || ") .. ")"
    if spec.comm then
      spec.filter = spec.filter .. ' && COMM == "' .. spec.comm .. '"'
      spec.comm = nil
    end
    return check_within(spec)
  end,
}

fields.bytes = {
  role = "part",
  doc = "Stands for a number in the payload of a packet, in a key.",
  example = [[
stop = t.expect {
  on = t.packet { "udp", dst = "10.0.0.5", port = 2049 },
  need = t.packet { "udp", src = "10.0.0.5", port = 2049 },
  key = t.bytes { payload = 0, size = 4 },
  within = "200ms",
}
]],
  { "payload", types.offset, needed = true, doc = "Where the number begins in the payload of TCP or UDP." },
  { "size", types.bytes_size, default = 4, doc = "How many bytes the number has." },
  {
    "order", types.choice("be", "le"), default = "be",
    doc = "Whether the first byte is the most significant (be) or the least (le).",
  },
  finish = function(spec) return needs(spec, "payload", "where it begins") end,
}

return fields
