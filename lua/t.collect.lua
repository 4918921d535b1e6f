-- What can be collected: the constructors of sources, as t.fields describes them.
local core = require "t.core"
local types = require "t.types"
local packet = require "t.packet"

local name = { "name", types.name, shared = "source", doc = "What its files in the bundle are called.", from = "tracer-bundle(5)" }

local fields = {}

fields.ftrace = {
  role = "collect",
  doc = "Records events of the kernel in a ring of its own.",
  example = [[
collect = t.ftrace {
  keep = "8M",
  "sched:sched_process_*",
  t.event { "sched:sched_switch", filter = "prev_prio < 100" },
}
]],
  what = {
    key = "events", each = "event", type = types.event, least = 1, accepts = { event = true, try = true },
    doc = "The events; t.event for one with a filter, t.try for what may be missing.",
    from = "available_events of tracefs",
  },
  name,
  {
    "keep", types.size, default = "16M",
    doc = "The size of the ring, for all CPUs together.", from = "buffer_size_kb of tracefs",
  },
  { "pids", types.list(types.pid), doc = "Only the events of these processes.", from = "set_event_pid of tracefs" },
  {
    "comm", types.list(types.comm),
    doc = "Only the events of tasks of these names.",
  },
  {
    "post", types.size, plan = "post_keep",
    doc = "The size of the ring for what comes after the stop; without it, a quarter of keep, but 1M at least, if the recipe has a post.",
    from = "buffer_size_kb of tracefs",
  },
  {
    "stack", types.boolean, default = false,
    doc = "Whether the kernel's stack is recorded with each event.", from = "options/stacktrace of tracefs",
  },
  default_name = function() return "events" end,
}

-- It is a t.ftrace of two events, which the bundle has decoded.
fields.syscalls = {
  role = "collect",
  doc = "Records the system calls of some tasks, with names, arguments, results and durations, while the tasks run on.",
  example = [[
collect = t.syscalls { pid = 1, keep = "4M" }
]],
  name,
  {
    "pid", types.list(types.pid), plan = "pids", needed = true,
    doc = "The processes, with their threads and all that they fork.", from = "set_event_pid of tracefs",
  },
  {
    "comm", types.list(types.comm),
    alternative = true, doc = "The tasks of these names; pid or comm has to be given.",
  },
  {
    "keep", types.size, default = "16M", doc = "The size of the ring, for all CPUs together; a call takes 120 bytes.",
    from = "buffer_size_kb of tracefs",
  },
  {
    "post", types.size, plan = "post_keep",
    doc = "The size of the ring for what comes after the stop; without it, a quarter of keep, but 1M at least, if the recipe has a post.",
    from = "buffer_size_kb of tracefs",
  },
  default_name = function() return "syscalls" end,
  finish = function(spec)
    if not spec.pids and not spec.comm then
      return "pid or comm has to say whose: those of all tasks are too many"
    end
    spec.type, spec.calls, spec.stack = "ftrace", true, false
    spec.events = core.list {
      { event = "raw_syscalls:sys_enter", optional = false, at = core.where() },
      { event = "raw_syscalls:sys_exit", optional = false, at = core.where() },
    }
  end,
}

fields.packets = {
  role = "collect",
  doc = "Records packets of the network in a ring of its own.",
  example = [[
collect = t.packets { host = "10.0.0.5", port = { 80, 443 }, keep = "30s" }
]],
  what = packet.filter,
  name,
  packet.fields[1], packet.fields[2], packet.fields[3], packet.fields[4], packet.fields[5],
  {
    "keep", types.size_or_duration, default = "64M", spread = true,
    doc = "The size of the ring, or the time that it holds.",
  },
  {
    "payload", types.payload, default = "128B",
    doc = "How much of each packet is kept; \"all\" for whole packets.", from = "pcap_set_snaplen(3PCAP)",
  },
  packet.fields[6],
  default_name = function() return "packets" end,
}

-- When something is taken, and how much of it.
local at = {
  "at", types.choice("start", "stop", "both"), plan = "when", shared = "sample", -- `at` of the plan is the place in the recipe
  doc = "When it is taken; \"stop\" if neither this nor every is given.",
}
local every = { "every", types.duration, shared = "sample", doc = "How often a sample is taken, from 10ms to 24h." }
local keep = {
  "keep", types.duration, plan = "keep_ns", shared = "sample",
  doc = "The time that the samples cover, not shorter than every; without it, 10m.",
}

local function has_field(v)
  if type(v) == "table" then
    for _, inner in ipairs(v) do
      if has_field(inner) then
        return true
      end
    end
  end
  return type(v) == "string" and v:find("{[%a_][%w_]*}") ~= nil
end

-- Fills in when it is taken. `asked` has what may name fields of the stop event.
local function check_taken(spec, asked)
  local when = spec.when or (spec.every and "every" or "stop")
  spec.when = nil
  spec.start = when == "start" or when == "both"
  spec.stop = when == "stop" or when == "both"
  if spec.every and spec.every < 10000000 then
    return "every must be 10ms or more"
  elseif spec.keep_ns and not spec.every then
    return "keep is the time that samples cover, so it needs every"
  elseif spec.every then
    spec.keep_ns = spec.keep_ns or core.duration("10m")
  end
  for _, text in ipairs(asked) do
    if has_field(text) and (spec.start or spec.every) then
      return "'" .. (type(text) == "table" and table.concat(text, " ") or text)
        .. "' names a field of the stop event, which is known at the stop only"
    end
  end
end

fields.files = {
  role = "collect",
  doc = "Takes files as they are at the start, at the stop, or again and again.",
  example = [[
collect = {
  t.files { every = "1s", "/proc/meminfo", "/proc/vmstat" },
  t.files { at = "both", "/proc/net/snmp" },
}
]],
  what = {
    key = "paths", each = "path", type = types.path, least = 1, accepts = { try = true },
    doc = "The files, with wildcards; {FIELD} stands for a field of the stop event.", from = "glob(7)",
  },
  name, at, every, keep,
  { "max", types.size, default = "1M", doc = "How much is kept of one file, up to 16M." },
  default_name = function() return "files" end,
  finish = function(spec)
    local asked = {}
    for i, item in ipairs(spec.paths) do
      asked[i] = item.path
    end
    return check_taken(spec, asked)
  end,
}

local max = { "max", types.size, default = "1M", doc = "How much is kept of one sample." }

fields.tasks = {
  role = "collect",
  doc = "Takes what tasks are doing: state, wait channel, kernel stack, status, cgroup and open files.",
  example = [[
collect = t.tasks { state = "D", every = "1s", keep = "5m" }
]],
  name,
  {
    "pid", types.list(types.field_or(types.pid)),
    doc = "This process with its threads, or this thread.", from = "proc(5)",
  },
  { "comm", types.list(types.comm), doc = "Tasks of these names." },
  { "cgroup", types.path, doc = "Tasks of this cgroup, and of those below it.", from = "/proc/PID/cgroup" },
  {
    "state", types.states, doc = "Tasks in one of these states, as letters: \"D\", \"RD\".", from = "/proc/PID/stat in proc(5)",
  },
  at, every, keep, max,
  default_name = function() return "tasks" end,
  finish = function(spec)
    if spec.cgroup and spec.cgroup:find("^/sys/fs/cgroup") then
      return "cgroup is the path that /proc/PID/cgroup has, like \"/system.slice/cron.service\", not a directory"
    end
    return check_taken(spec, { spec.pid, spec.cgroup })
  end,
}

fields.sockets = {
  role = "collect",
  doc = "Takes TCP and UDP sockets with their queues, and of TCP what the kernel has in tcp_info.",
  example = [[
collect = t.sockets { host = "10.0.0.5", port = 2049, every = "1s" }
]],
  name,
  { "host", types.list(types.address), doc = "Sockets with this address at either end." },
  {
    "port", types.list(types.field_or(types.port)),
    doc = "Sockets with this port at either end.",
  },
  { "protocol", types.choice("tcp", "udp"), doc = "Sockets of this protocol; without it, of both." },
  at, every, keep, max,
  default_name = function() return "sockets" end,
  finish = function(spec) return check_taken(spec, { spec.port }) end,
}

fields.exec = {
  role = "collect",
  doc = "Runs a command as root, if --allow-exec is given, and keeps what it prints.",
  example = [[
collect = t.exec { "ip", "-s", "neighbor", deadline = "2s" }
]],
  what = {
    key = "argv", each = "word", type = types.text, word = "COMMAND, ARGUMENT", least = 1,
    doc = "The command and its arguments, one text each; no shell reads them. {FIELD} stands for a field of the stop event.",
    from = "execvp(3)",
  },
  name,
  {
    "deadline", types.duration, default = "10s", doc = "When it is killed, with all that it has started; from 100ms to 10m.",
  },
  at, every, keep,
  { "max", types.size, default = "1M", doc = "How much is kept of what it prints." },
  default_name = function(spec)
    local last = spec.argv[1]:match("[^/]*$"):gsub("[^%w._-]", "-"):gsub("^%.+", "")
    return last ~= "" and last:sub(1, 60) or "command"
  end,
  finish = function(spec)
    for i, word in ipairs(spec.argv) do
      spec.argv[i] = word.word
    end
    if spec.deadline < 100000000 or spec.deadline > 600000000000 then
      return "deadline is from 100ms to 10m"
    end
    return check_taken(spec, { spec.argv })
  end,
}

fields.log = {
  role = "collect",
  doc = "Records a log from the start of the capture on.",
  example = [[
collect = t.log { "kernel", keep = "1M" }
]],
  what = {
    key = "log", type = types.recorded_log, least = 1, most = 1,
    doc = "The log; besides those of t.line, \"freezes\" has the freezes of file systems and their thaws.",
    from = "kmsg of proc(5), journalctl(1), ioctl_fifreeze(2)",
  },
  name,
  { "keep", types.size, default = "4M", doc = "How much of it is kept, from 64K to 1G." },
  default_name = function(spec)
    local last = spec.log:match("[^/]*$"):gsub("[^%w._-]", "-"):gsub("^%.+", "")
    return last ~= "" and last:sub(1, 60) or "log"
  end,
  finish = function(spec)
    spec.type = spec.log ~= "kernel" and "textlog" or nil
    if spec.log == "/proc/kmsg" or spec.log == "/dev/kmsg" then
      return spec.log .. " is the kernel's log: \"kernel\""
    end
  end,
}

fields.try = {
  role = "part",
  doc = "Marks what this host may lack, in t.ftrace and t.files.",
  example = [[
collect = t.files { "/proc/stat", t.try { "/proc/pressure/io", "/proc/mdstat" } }
]],
  what = {
    key = "items", type = types.text, word = "EVENT...|PATH...", least = 1, accepts = { event = true, try = true },
    doc = "The events, or t.event, or the paths.",
  },
}

return fields
