-- How long can the name of a task be?
return { collect = t.ftrace { "sched:*", comm = "a-name-of-16-byt" } }
--[==[error
fails-long-comm.lua:2: t.ftrace: comm: 'a-name-of-16-byt' has 16 bytes, a command name has at most 15
]==]
