-- What is told where a silence has no length?
return { collect = t.log "kernel", stop = t.silence { t.event "sched:sched_switch" } }
--[==[error
fails-silence-over.lua:2: t.silence: over has to say for how long nothing is seen
]==]
