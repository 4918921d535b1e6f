-- What is told where an argument is none?
local ip = t.args { "ip:address" }
return { collect = t.packets { host = ip } }
--[==[args
10.0.0.500
]==]
--[==[error
argument 'ip': '10.0.0.500' is not an IPv4 or IPv6 address
usage: tracer fails-bad-argument.lua IP
What is told where an argument is none?
]==]
