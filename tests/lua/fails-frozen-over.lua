-- For how long?
return { collect = t.log "freezes", stop = t.frozen {} }
--[==[error
fails-frozen-over.lua:2: t.frozen: over has to say for how long
]==]
