-- What is told where nothing is expected?
return { collect = t.log "kernel", stop = t.expect { on = t.event "sched:sched_switch", within = "3s" } }
--[==[error
fails-expect-need.lua:2: t.expect: need has to say what must follow
]==]
