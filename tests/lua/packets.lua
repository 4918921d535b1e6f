-- Which packets are kept, and for how long?
return {
  collect = {
    t.packets { src = "fd00::1", dst = { "10.0.0.5", "10.0.0.6" }, tcp = "rst", keep = "30s", payload = "all" },
    t.packets { "arp", name = "arp", interface = "eth0", keep = "1M", payload = "64B", port = { 67, 68 } },
  },
}
--[==[plan
{ "schema": 1, "name": "packets", "question": "Which packets are kept, and for how long?", "args": {},
  "collect": [
    { "type": "packets", "name": "packets", "at": "packets.lua:4", "host": [], "src": ["fd00::1"],
      "dst": ["10.0.0.5", "10.0.0.6"], "port": [], "tcp": "rst", "keep_ns": 30000000000, "payload": 0, "interface": "any" },
    { "type": "packets", "name": "arp", "at": "packets.lua:5", "host": [], "src": [], "dst": [], "port": [67, 68],
      "filter": "arp", "keep": 1048576, "payload": 64, "interface": "eth0" } ],
  "stop": [], "max_time": 604800000000000 }
]==]
