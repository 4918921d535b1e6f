-- Which events are in which ring?
return {
  collect = {
    t.ftrace { "sched:sched_switch", "net:*", "kprobe:vfs_read", "uprobe:/bin/sh:main" },
    t.ftrace {
      name = "hot", keep = "64M", pids = { 12, 13 }, comm = "scoutfsd", stack = true, post = "2M",
      t.event { "signal:*", filter = "sig == 9", stack = true },
      t.event { "kprobe:do_exit", fetch = { "code=%di:s64" } },
      t.try { "nosuch:event", t.event { "nosuch:other", filter = "a == 1" } },
    },
  },
  stop = { t.event { "signal:signal_generate", filter = "sig == 6", hits = 3, within = "1m" } },
  post = "1s",
  max_time = "2h",
}
--[==[plan
{ "schema": 1, "name": "events", "question": "Which events are in which ring?", "args": {},
  "collect": [
    { "type": "ftrace", "name": "events", "at": "events.lua:4", "keep": 16777216, "post_keep": 4194304, "stack": false,
      "events": [ { "event": "sched:sched_switch", "optional": false, "at": "events.lua:4" }, { "event": "net:*", "optional": false, "at": "events.lua:4" },
                  { "event": "kprobe:vfs_read", "optional": false, "at": "events.lua:4" }, { "event": "uprobe:/bin/sh:main", "optional": false, "at": "events.lua:4" } ] },
    { "type": "ftrace", "name": "hot", "at": "events.lua:5", "keep": 67108864, "post_keep": 2097152, "stack": true,
      "pids": [12, 13], "comm": ["scoutfsd"],
      "events": [ { "event": "signal:*", "filter": "sig == 9", "stack": true, "optional": false, "at": "events.lua:7" },
                  { "event": "kprobe:do_exit", "fetch": ["code=%di:s64"], "optional": false, "at": "events.lua:8" },
                  { "event": "nosuch:event", "optional": true, "at": "events.lua:9" },
                  { "event": "nosuch:other", "filter": "a == 1", "optional": true, "at": "events.lua:9" } ] } ],
  "stop": [ { "type": "event", "name": "signal:signal_generate", "at": "events.lua:12", "event": "signal:signal_generate",
              "filter": "sig == 6", "hits": 3, "within": 60000000000 } ],
  "post": 1000000000, "max_time": 7200000000000 }
]==]
