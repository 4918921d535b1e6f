-- Which task, which socket, which command?
return {
  collect = {
    t.tasks { pid = { "{pid}", 12 }, comm = "dd", cgroup = "/system.slice", state = "RD" },
    t.tasks { every = "1s", state = "D" },
    t.sockets { host = "10.0.0.5", port = { 19700, "{sport}" }, protocol = "tcp" },
    t.exec { "/usr/sbin/ip", "-s", "link", at = "both" },
    t.exec { name = "ring", "ethtool", "-g", "eth0", every = "5s", keep = "1m", deadline = "2s", max = "64K" },
  },
}
--[==[plan
{ "schema": 1, "name": "taken", "question": "Which task, which socket, which command?", "args": {},
  "collect": [
    { "type": "tasks", "name": "tasks", "at": "taken.lua:4", "pid": [ "{pid}", 12 ], "comm": [ "dd" ], "cgroup": "/system.slice",
      "state": "RD", "start": false, "stop": true, "max": 1048576 },
    { "type": "tasks", "name": "tasks-2", "at": "taken.lua:5", "state": "D", "start": false, "stop": false, "every": 1000000000,
      "keep_ns": 600000000000, "max": 1048576 },
    { "type": "sockets", "name": "sockets", "at": "taken.lua:6", "host": [ "10.0.0.5" ], "port": [ 19700, "{sport}" ],
      "protocol": "tcp", "start": false, "stop": true, "max": 1048576 },
    { "type": "exec", "name": "ip", "at": "taken.lua:7", "argv": [ "/usr/sbin/ip", "-s", "link" ], "deadline": 10000000000,
      "start": true, "stop": true, "max": 1048576 },
    { "type": "exec", "name": "ring", "at": "taken.lua:8", "argv": [ "ethtool", "-g", "eth0" ], "deadline": 2000000000,
      "start": false, "stop": false, "every": 5000000000, "keep_ns": 60000000000, "max": 65536 } ],
  "stop": [], "max_time": 604800000000000 }
]==]
