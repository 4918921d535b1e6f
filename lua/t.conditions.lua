-- What a capture can stop at: the constructors of conditions, as t.fields describes them.
local types = require "t.types"
local packet = require "t.packet"

local label = {
  "name", types.label, only = "stop",
  doc = "Names the condition in the summary.", from = "tracer-bundle(5)",
}
local hits = {
  "hits", types.count, default = 1, only = "stop",
  doc = "How many times it has to be seen.", from = "tracer-recipe(5)",
}
local within = {
  "within", types.duration, only = "stop",
  doc = "The time in which the hits have to come.", from = "tracer-recipe(5)",
}

local arm_after = {
  "arm_after", types.duration, only = "stop",
  doc = "The time from the start in which it does not count.", from = "tracer-recipe(5)",
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
  doc = "An event with a filter: in t.ftrace it is recorded, in stop it ends the capture.",
  what = {
    key = "events", each = "event", type = types.event, least = 1,
    doc = "Events of the kernel: SYSTEM:NAME with globs, kprobe:FUNC or uprobe:PATH:SYMBOL.",
    from = "available_events of tracefs",
  },
  label,
  {
    "filter", types.text,
    doc = "Only the events that pass it.", from = "Documentation/trace/events.rst of the kernel",
  },
  {
    "stack", types.boolean, only = "collect",
    doc = "Record the kernel's stack with each.", from = "the trigger stacktrace of tracefs",
  },
  {
    "fetch", types.list(types.text),
    doc = "Arguments of a probe, like \"flags=%di:u32\".",
    from = "Documentation/trace/kprobetrace.rst of the kernel",
  },
  {
    "test", types.test, only = "stop", selects = true,
    doc = "What an event that passed the filter has to pass as well: a function of its record.",
    from = "tracer-recipe(5)",
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
  doc = "A packet of the network.",
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
  doc = "A line of a log.",
  what = {
    key = "log", type = types.log, most = 1, default = "kernel",
    doc = "The log: \"journal\" or a path; \"kernel\" without it.", from = "t.log",
  },
  label,
  { "text", types.text, doc = "What the line contains.", from = "tracer-recipe(5)" },
  { "regex", types.text, doc = "What the line matches.", from = "pcre2pattern(3)" },
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
  doc = "Something has not been seen for so long.",
  what = {
    key = "of", type = types.selector, least = 1, most = 1, accepts = selectors,
    doc = "What: t.event, t.packet or t.line.", from = "tracer-recipe(5)",
  },
  label,
  { "over", types.duration, doc = "For how long.", from = "tracer-recipe(5)" },
  {
    "from", types.choice("first", "start"), default = "first",
    doc = "From when on: the first one seen, or the start of the capture.", from = "tracer-recipe(5)",
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
  doc = "What must follow has not, at the deadline.",
  label,
  { "on", types.selector, doc = "What it must follow.", from = "tracer-recipe(5)" },
  { "need", types.selector, doc = "What must follow.", from = "tracer-recipe(5)" },
  {
    "key", types.key,
    doc = "What both have in common: a field's name, { on = , need = } if the names differ, a list of those.",
    from = "the format of the event in tracefs",
  },
  { "within", types.duration, doc = "The time from one to the other.", from = "tracer-recipe(5)" },
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
  doc = "Something is seen more often than so, or less.",
  what = {
    key = "of", type = types.selector, least = 1, most = 1, accepts = selectors,
    doc = "What: t.event, t.packet or t.line.", from = "tracer-recipe(5)",
  },
  label,
  { "above", types.limit, doc = "More often than so.", from = "tracer-recipe(5)" },
  { "below", types.count, doc = "Less often than so.", from = "tracer-recipe(5)" },
  { "per", types.duration, doc = "In any stretch of this length.", from = "tracer-recipe(5)" },
  { "hold", types.duration, doc = "For how long without a break.", from = "tracer-recipe(5)" },
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
  doc = "Several conditions have become true, the first and the last of them within a time.",
  what = {
    key = "of", each = "condition", type = types.conditions, least = 2, accepts = parts,
    doc = "Conditions.", from = "tracer-recipe(5)",
  },
  label,
  { "within", types.duration, doc = "The time between the first and the last; any without it.", from = "tracer-recipe(5)" },
  hits,
  arm_after,
  default_name = function(spec) return ("all of " .. #spec.of .. " conditions"):sub(1, 100) end,
}

fields.sequence = {
  role = "stop",
  doc = "Several conditions have become true, one after the other.",
  what = {
    key = "of", each = "condition", type = types.conditions, least = 2, accepts = parts,
    doc = "Conditions, in their order.", from = "tracer-recipe(5)",
  },
  label,
  { "within", types.duration, doc = "The time between the first and the last; any without it.", from = "tracer-recipe(5)" },
  {
    "key", types.key,
    doc = "What they all have in common, where they are events or packets: a field's name, or a list of those.",
    from = "the format of the event in tracefs",
  },
  hits,
  arm_after,
  default_name = function(spec) return ("a sequence of " .. #spec.of .. " conditions"):sub(1, 100) end,
}

local every = {
  "every", types.duration, default = "1s", doc = "How often it is looked at, 10ms at least.", from = "tracer-recipe(5)",
}

local function check_every(spec)
  if spec.every < 10000000 then
    return "every must be 10ms or more"
  end
end

fields.gauge = {
  role = "stop",
  doc = "A number in a file is above or below a limit.",
  what = {
    key = "path", type = types.path, least = 1, most = 1,
    doc = "The file.", from = "proc(5)",
  },
  label,
  { "line", types.text, doc = "How the number's line begins; the first line without it.", from = "the file" },
  {
    "column", types.count, doc = "Which word of the line it is; the first number without it.",
    from = "the file",
  },
  { "regex", types.text, doc = "Instead of line: what the text matches; its first group is the number.", from = "pcre2pattern(3)" },
  { "above", types.level "above", spread = true, doc = "The limit; of a size, the unit in the file counts.", from = "the file" },
  { "below", types.level "below", spread = true, doc = "The limit.", from = "the file" },
  every,
  { "hold", types.duration, doc = "For how long without a break.", from = "tracer-recipe(5)" },
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
  doc = "A task sleeps in state D, where it cannot be woken, for so long in one go.",
  label,
  { "over", types.duration, doc = "For how long.", from = "tracer-recipe(5)" },
  { "comm", types.comm, doc = "A task of this name, 15 bytes at most.", from = "TASK_COMM_LEN of the kernel" },
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
  doc = "A file system is frozen for so long, or its freeze does not come to an end; it names who froze it.",
  label,
  { "over", types.duration, doc = "For how long, from when it was asked for.", from = "ioctl_fifreeze(2)" },
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
  doc = "A process ends.",
  label,
  { "pid", types.pid, doc = "This one.", from = "sched:sched_process_exit" },
  { "comm", types.comm, doc = "One of this name, 15 bytes at most.", from = "TASK_COMM_LEN of the kernel" },
  { "exe", types.path, doc = "One that runs this program.", from = "/proc/PID/exe in proc(5)" },
  { "cgroup", types.path, doc = "One of this cgroup, or of one below.", from = "/proc/PID/cgroup" },
  { "code", codes, doc = "With this exit code; then it is one that ends itself, and has no pid here.", from = "exit_group(2)" },
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
  doc = "A path that was not there before.",
  what = {
    key = "path", type = types.path, least = 1, most = 1,
    doc = "The path, with globs.", from = "glob(7)",
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
  doc = "Tasks wait for memory, disks or the CPU for longer than so.",
  what = {
    key = "what", type = types.choice("memory", "io", "cpu"), least = 1, most = 1,
    doc = "For what.", from = "Documentation/accounting/psi.rst of the kernel",
  },
  label,
  {
    "some", types.duration, doc = "The time for which at least one task waits.",
    from = "Documentation/accounting/psi.rst of the kernel",
  },
  {
    "full", types.duration, doc = "The time for which all tasks wait at once.",
    from = "Documentation/accounting/psi.rst of the kernel",
  },
  {
    "per", types.duration, default = "2s", doc = "In any stretch of this length, 500ms to 10s.",
    from = "Documentation/accounting/psi.rst of the kernel",
  },
  {
    "cgroup", types.path, doc = "Of the tasks of this cgroup; a directory of cgroup version 2.",
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
  doc = "A process dies of a signal that it does not handle.",
  label,
  { "comm", types.comm, doc = "Of processes of this name, 15 bytes at most.", from = "TASK_COMM_LEN of the kernel" },
  {
    "signals", types.list(types.one_of(signal_names, "a signal that leaves a core, like \"SEGV\", or \"core\" or \"any\"")), default = "core",
    doc = "Of these, by name; \"core\" for all that leave a core, \"any\" for all that end a process.", from = "signal(7)",
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
  doc = "A number in the payload of a packet, as a value of a key.",
  { "payload", types.offset, doc = "Where it begins in the payload.", from = "the protocol" },
  { "size", types.bytes_size, default = 4, doc = "How many bytes it has, 1 to 8.", from = "the protocol" },
  {
    "order", types.choice("be", "le"), default = "be",
    doc = "The first byte is the most significant, or the least.", from = "the protocol",
  },
  finish = function(spec) return needs(spec, "payload", "where it begins") end,
}

return fields
