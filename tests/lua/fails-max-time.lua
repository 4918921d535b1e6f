-- What is told where it would end at once?
return { collect = t.log "kernel", max_time = "0s" }
--[==[error
fails-max-time.lua:2: max_time is longer than 0s
]==]
