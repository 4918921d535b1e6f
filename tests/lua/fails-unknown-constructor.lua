-- What is told where a constructor is misspelt?
return { collect = t.pakets { "udp" } }
--[==[error
fails-unknown-constructor.lua:2: t.pakets is not in this version of tracer (1.0), did you mean t.packets?
]==]
