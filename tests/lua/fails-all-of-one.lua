-- What is told where all is one?
return { collect = t.log "kernel", stop = t.all { t.event "sched:sched_switch" } }
--[==[error
fails-all-of-one.lua:2: t.all: it needs two conditions or more
]==]
