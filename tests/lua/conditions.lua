-- What can be told of what does not happen, how often, and in which order?
local port = 2049
local ask = t.packet { "udp", dst = "10.0.0.5", port = port }

return {
  collect = t.log "kernel",
  stop = {
    t.silence { name = "quiet", ask, over = "3s", arm_after = "1m" },
    t.expect {
      on = ask, need = t.event { "signal:signal_generate", filter = "sig == 9" }, within = "200ms",
      key = { { on = t.bytes { payload = 24 }, need = "pid" } },
    },
    t.rate { t.line { text = "error" }, above = 5, per = "1m", hold = "2m" },
    t.sequence { key = "pid", within = "1s", hits = 2, t.event "sched:sched_process_exec", t.event "sched:sched_process_exit" },
    t.all { name = "both", t.event "oom:mark_victim", t.silence { ask, over = "1s", from = "start" } },
  },
}
--[==[plan
{ "schema": 1, "name": "conditions",
      "question": "What can be told of what does not happen, how often, and in which order?", "args": {},
  "collect": [{"at": "conditions.lua:6", "keep": 4194304, "log": "kernel", "name": "kernel", "type": "log"}],
  "stop": [
    {"arm_after": 60000000000, "at": "conditions.lua:8", "from": "first", "hits": 1, "name": "quiet",
      "of": {"at": "conditions.lua:3", "dst": ["10.0.0.5"], "filter": "udp", "host": [], "interface": "any",
      "port": [2049], "src": [], "type": "packet"}, "over": 3000000000, "type": "silence"},
    {"at": "conditions.lua:9", "hits": 1, "key": [{"need": "pid", "on": {"order": "be", "payload": 24, "size": 4}}],
      "name": "signal:signal_generate after udp", "need": {"at": "conditions.lua:10",
      "event": "signal:signal_generate", "filter": "sig == 9", "type": "event"}, "on": {"at": "conditions.lua:3",
      "dst": ["10.0.0.5"], "filter": "udp", "host": [], "interface": "any", "port": [2049], "src": [],
      "type": "packet"}, "type": "expect", "within": 200000000},
    {"above": 5, "at": "conditions.lua:13", "hits": 1, "hold": 120000000000, "name": "rate of error",
      "of": {"at": "conditions.lua:13", "log": "kernel", "text": "error", "type": "line"}, "per": 60000000000,
      "type": "rate"},
    {"at": "conditions.lua:14", "hits": 2, "key": [{"need": "pid", "on": "pid"}],
      "name": "a sequence of 2 conditions", "of": [{"at": "conditions.lua:14", "event": "sched:sched_process_exec",
      "hits": 1, "name": "sched:sched_process_exec", "type": "event"}, {"at": "conditions.lua:14",
      "event": "sched:sched_process_exit", "hits": 1, "name": "sched:sched_process_exit", "type": "event"}],
      "type": "sequence", "within": 1000000000},
    {"at": "conditions.lua:15", "hits": 1, "name": "both", "of": [{"at": "conditions.lua:15",
      "event": "oom:mark_victim", "hits": 1, "name": "oom:mark_victim", "type": "event"}, {"at": "conditions.lua:15",
      "from": "start", "hits": 1, "name": "no udp", "of": {"at": "conditions.lua:3", "dst": ["10.0.0.5"],
      "filter": "udp", "host": [], "interface": "any", "port": [2049], "src": [], "type": "packet"},
      "over": 1000000000, "type": "silence"}], "type": "all"} ],
  "max_time": 604800000000000 }
]==]
