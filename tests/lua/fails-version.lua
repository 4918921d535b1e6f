-- What is told where the recipe is too new?
return {
  collect = t.log "kernel",
  tracer = "1.1",
}
--[==[error
fails-version.lua:4: the recipe needs tracer 1.1, this is 1.0
]==]
