-- What is told where what is looked for has what belongs to the condition?
return { collect = t.log "kernel", stop = t.silence { t.event { "sched:sched_switch", hits = 3 }, over = "3s" } }
--[==[error
fails-inner-hits.lua:2: t.event: hits belongs to the condition, not to what it looks for
]==]
