-- What is around a freeze?
local agent = t.args { "agent:pid" }
return {
  fsfreeze_safe = true,
  collect = {
    t.log "freezes",
    t.syscalls { pid = { agent, 8 }, keep = "1M" },
    t.syscalls { name = "calls", comm = "cp", post = "64K" },
  },
  stop = { t.frozen { over = "1m" }, t.all { t.frozen { name = "long", over = "2s" }, t.hung { over = "2s" } } },
  post = "1s",
}
--[==[args
7
]==]
--[==[plan
{ "schema": 1, "name": "freeze", "question": "What is around a freeze?", "args": { "agent": 7 }, "fsfreeze_safe": true,
  "collect": [
    { "type": "textlog", "name": "freezes", "at": "freeze.lua:6", "log": "freezes", "keep": 4194304 },
    { "type": "ftrace", "name": "syscalls", "at": "freeze.lua:7", "keep": 1048576, "post_keep": 1048576, "pids": [7, 8], "calls": true,
      "stack": false, "events": [
        { "event": "raw_syscalls:sys_enter", "optional": false, "at": "freeze.lua:7" },
        { "event": "raw_syscalls:sys_exit", "optional": false, "at": "freeze.lua:7" } ] },
    { "type": "ftrace", "name": "calls", "at": "freeze.lua:8", "keep": 16777216, "post_keep": 65536, "comm": ["cp"], "calls": true,
      "stack": false, "events": [
        { "event": "raw_syscalls:sys_enter", "optional": false, "at": "freeze.lua:8" },
        { "event": "raw_syscalls:sys_exit", "optional": false, "at": "freeze.lua:8" } ] } ],
  "stop": [
    { "type": "frozen", "name": "frozen for too long", "at": "freeze.lua:10", "of": { "type": "freezes" }, "over": 60000000000, "hits": 1 },
    { "type": "all", "name": "all of 2 conditions", "at": "freeze.lua:10", "hits": 1, "of": [
      { "type": "frozen", "name": "long", "at": "freeze.lua:10", "of": { "type": "freezes" }, "over": 2000000000, "hits": 1 },
      { "type": "hung", "name": "a task hangs", "at": "freeze.lua:10", "of": { "type": "tasks", "every": 500000000 }, "over": 2000000000, "hits": 1 } ] } ],
  "post": 1000000000, "max_time": 604800000000000 }
]==]
