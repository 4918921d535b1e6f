-- Does a recipe see the machine, and in a fixed order?
local names = {}
for name in pairs { b = 1, a = 2, c = 3, [2] = 4, [1] = 5 } do
  names[#names + 1] = tostring(name)
end
local events = t.host.has "sched:sched_switch" and "sched:sched_switch" or "no:event"
if t.host.has "no:event" or math.random then
  events = "more:than_it_should"
end
return {
  collect = t.ftrace { name = t.host.cpus .. "-" .. t.host.kernel, events },
  stop = t.line { text = table.concat(names, " ") },
}
--[==[plan
{ "schema": 1, "name": "host", "question": "Does a recipe see the machine, and in a fixed order?", "args": {},
  "collect": [ { "type": "ftrace", "name": "4-6.1.0-test", "at": "host.lua:11", "keep": 16777216, "stack": false,
                 "events": [ { "event": "sched:sched_switch", "optional": false, "at": "host.lua:11" } ] } ],
  "stop": [ { "type": "line", "name": "1 2 a b c", "at": "host.lua:12", "log": "kernel", "text": "1 2 a b c", "hits": 1 } ],
  "max_time": 604800000000000 }
]==]
