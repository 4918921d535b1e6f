-- What does the plan keep of arguments?
local ip, port, wait, size, who, n = t.args {
  "ip:address", "port:port", "wait:duration=2s", "size:size=1M", "who:string=nobody", "n:integer=-3",
}
return {
  collect = {
    t.packets { "udp[8:4] = " .. ip.u32, host = ip, port = port, keep = size },
    t.log "kernel",
  },
  stop = t.line { text = who .. n },
  post = wait,
}
--[==[args
10.0.0.5
19700
size=2M
wait=250ms
]==]
--[==[plan
{ "schema": 1, "name": "arguments", "question": "What does the plan keep of arguments?",
  "args": { "ip": "10.0.0.5", "port": 19700, "wait": 250000000, "size": 2097152, "who": "nobody", "n": -3 },
  "collect": [
    { "type": "packets", "name": "packets", "at": "arguments.lua:7", "host": ["10.0.0.5"], "src": [], "dst": [],
      "port": [19700], "filter": "udp[8:4] = 167772165", "keep": 2097152, "payload": 128, "interface": "any" },
    { "type": "log", "name": "kernel", "at": "arguments.lua:8", "log": "kernel", "keep": 4194304 } ],
  "stop": [ { "type": "line", "name": "nobody-3", "at": "arguments.lua:10", "log": "kernel", "text": "nobody-3", "hits": 1 } ],
  "post": 250000000, "max_time": 604800000000000 }
]==]
