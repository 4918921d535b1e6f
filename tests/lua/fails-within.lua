-- What is told where one hit has a time to come in?
return { collect = t.log "kernel", stop = t.event { "sched:sched_switch", within = "5s" } }
--[==[error
fails-within.lua:2: t.event: within says in which time several hits have to come, so hits has to be 2 or more
]==]
