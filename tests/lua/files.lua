-- When is which file read?
return {
  collect = {
    t.files { "/proc/{pid}/stack", "/proc/meminfo" },
    { t.files { every = "1s", "/proc/vmstat", t.try "/proc/pressure/*" }, { t.files { at = "both", "/proc/mounts" } } },
    t.files { at = "start", every = "10ms", keep = "1m", max = "64K", name = "fast", "/proc/stat" },
  },
}
--[==[plan
{ "schema": 1, "name": "files", "question": "When is which file read?", "args": {},
  "collect": [
    { "type": "files", "name": "files", "at": "files.lua:4", "start": false, "stop": true, "max": 1048576,
      "paths": [ { "path": "/proc/{pid}/stack", "optional": false, "at": "files.lua:4" }, { "path": "/proc/meminfo", "optional": false, "at": "files.lua:4" } ] },
    { "type": "files", "name": "files-2", "at": "files.lua:5", "start": false, "stop": false, "every": 1000000000,
      "keep_ns": 600000000000, "max": 1048576,
      "paths": [ { "path": "/proc/vmstat", "optional": false, "at": "files.lua:5" },
                 { "path": "/proc/pressure/*", "optional": true, "at": "files.lua:5" } ] },
    { "type": "files", "name": "files-3", "at": "files.lua:5", "start": true, "stop": true, "max": 1048576,
      "paths": [ { "path": "/proc/mounts", "optional": false, "at": "files.lua:5" } ] },
    { "type": "files", "name": "fast", "at": "files.lua:6", "start": true, "stop": false, "every": 10000000,
      "keep_ns": 60000000000, "max": 65536, "paths": [ { "path": "/proc/stat", "optional": false, "at": "files.lua:6" } ] } ],
  "stop": [], "max_time": 604800000000000 }
]==]
