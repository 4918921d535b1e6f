-- What can be collected: the constructors of sources, as t.fields describes them.
local core = require "t.core"
local types = require "t.types"
local packet = require "t.packet"

local name = { "name", types.name, doc = "Names its file in the bundle.", from = "tracer-bundle(5)" }

local fields = {}

fields.ftrace = {
  role = "collect",
  doc = "Events of the kernel, in a ring of its own.",
  what = {
    key = "events", each = "event", type = types.event, least = 1, accepts = { event = true, try = true },
    doc = "Events, t.event{...} with a filter, t.try for what may be missing.",
    from = "available_events of tracefs",
  },
  name,
  {
    "keep", types.size, default = "16M",
    doc = "Size of the ring, over all CPUs.", from = "buffer_size_kb of tracefs",
  },
  { "pids", types.list(types.pid), doc = "Only the events of these tasks.", from = "set_event_pid of tracefs" },
  {
    "comm", types.list(types.comm),
    doc = "Only the events of tasks of these names, 15 bytes at most.", from = "TASK_COMM_LEN of the kernel",
  },
  {
    "post", types.size, plan = "post_keep",
    doc = "Size of the ring for what comes after the event; a quarter of keep, at least 1M, if the recipe has a post.",
    from = "buffer_size_kb of tracefs",
  },
  {
    "stack", types.boolean, default = false,
    doc = "Record the kernel's stack with each event.", from = "options/stacktrace of tracefs",
  },
  default_name = function() return "events" end,
}

-- It is a t.ftrace of two events, which the bundle has decoded.
fields.syscalls = {
  role = "collect",
  doc = "System calls, with names, arguments, results and how long each took; nobody is stopped for it.",
  name,
  { "pid", types.list(types.pid), plan = "pids", doc = "Of these processes, with their threads and all that they fork.", from = "set_event_pid of tracefs" },
  {
    "comm", types.list(types.comm),
    doc = "Of the tasks of these names, 15 bytes at most.", from = "TASK_COMM_LEN of the kernel",
  },
  { "keep", types.size, default = "16M", doc = "Size of the ring, over all CPUs; a call takes 120 bytes.", from = "buffer_size_kb of tracefs" },
  {
    "post", types.size, plan = "post_keep",
    doc = "Size of the ring for what comes after the event; a quarter of keep, at least 1M, if the recipe has a post.",
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
  doc = "Packets of the network, in a ring of its own.",
  what = packet.filter,
  name,
  packet.fields[1], packet.fields[2], packet.fields[3], packet.fields[4], packet.fields[5],
  {
    "keep", types.size_or_duration, default = "64M", spread = true,
    doc = "Size of the ring, or the time that it holds.", from = "tracer-recipe(5)",
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
  "at", types.choice("start", "stop", "both"), plan = "when", -- `at` of the plan is the place in the recipe
  doc = "When; \"stop\" without every.", from = "tracer-recipe(5)",
}
local every = { "every", types.duration, doc = "How often a sample is taken.", from = "tracer-recipe(5)" }
local keep = {
  "keep", types.duration, plan = "keep_ns",
  doc = "The time that the samples cover; \"10m\" with every.", from = "tracer-recipe(5)",
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
  doc = "Files as they are at the start, at the stop, or again and again.",
  what = {
    key = "paths", each = "path", type = types.path, least = 1, accepts = { try = true },
    doc = "Paths with globs; {FIELD} stands for an integer field of the stop event, {common_pid} for its task.", from = "glob(7)",
  },
  name, at, every, keep,
  { "max", types.size, default = "1M", doc = "How much is kept of one file.", from = "tracer-recipe(5)" },
  default_name = function() return "files" end,
  finish = function(spec)
    local asked = {}
    for i, item in ipairs(spec.paths) do
      asked[i] = item.path
    end
    return check_taken(spec, asked)
  end,
}

local max = { "max", types.size, default = "1M", doc = "How much is kept of one look.", from = "tracer-recipe(5)" }

fields.tasks = {
  role = "collect",
  doc = "Processes and their threads: state, wait channel, kernel stack, status, cgroup, open files; all without a selector.",
  name,
  {
    "pid", types.list(types.field_or(types.pid)),
    doc = "This process with its threads, or this thread; \"{FIELD}\" for a field of the stop event.", from = "proc(5)",
  },
  { "comm", types.list(types.comm), doc = "Tasks of these names, 15 bytes at most.", from = "TASK_COMM_LEN of the kernel" },
  { "cgroup", types.path, doc = "Tasks of this cgroup, and of those below.", from = "/proc/PID/cgroup" },
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
  doc = "TCP and UDP sockets with their queues, and of TCP what the kernel has in tcp_info.",
  name,
  { "host", types.list(types.address), doc = "One of the two addresses.", from = "sock_diag(7)" },
  {
    "port", types.list(types.field_or(types.port)),
    doc = "One of the two ports; \"{FIELD}\" for a field of the stop event.", from = "sock_diag(7)",
  },
  { "protocol", types.choice("tcp", "udp"), doc = "Of this protocol; both without it.", from = "sock_diag(7)" },
  at, every, keep, max,
  default_name = function() return "sockets" end,
  finish = function(spec) return check_taken(spec, { spec.port }) end,
}

fields.exec = {
  role = "collect",
  doc = "What a command prints, with its exit code; it runs as root, and only with --allow-exec.",
  what = {
    key = "argv", each = "word", type = types.text, least = 1,
    doc = "The command and its arguments, one text each; no shell reads them. {FIELD} stands for a field of the stop event.",
    from = "execvp(3)",
  },
  name,
  {
    "deadline", types.duration, default = "10s", doc = "When it is killed, with all that it has started; up to 10m.",
    from = "tracer-recipe(5)",
  },
  at, every, keep,
  { "max", types.size, default = "1M", doc = "How much is kept of what it prints.", from = "tracer-recipe(5)" },
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
  doc = "A log, from the start on.",
  what = {
    key = "log", type = types.recorded_log, least = 1, most = 1,
    doc = "\"kernel\", \"journal\", \"freezes\" (of file systems, and their thaws), or the path of a text file, which may rotate.",
    from = "kmsg of proc(5), journalctl(1), ioctl_fifreeze(2)",
  },
  name,
  { "keep", types.size, default = "4M", doc = "How much of it is kept.", from = "tracer-recipe(5)" },
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
  doc = "What this machine may lack, in t.ftrace and t.files.",
  what = {
    key = "items", type = types.text, least = 1, accepts = { event = true, try = true },
    doc = "Events or paths.", from = "tracer-recipe(5)",
  },
}

return fields
