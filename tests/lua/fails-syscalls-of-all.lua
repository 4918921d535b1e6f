-- Whose system calls?
return { collect = t.syscalls { keep = "1M" } }
--[==[error
fails-syscalls-of-all.lua:2: t.syscalls: pid or comm has to say whose: those of all tasks are too many
]==]
