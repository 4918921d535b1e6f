-- What is told where a constructor is misspelt?
return { collect = t.packet { "udp" } }
--[==[error
fails-unknown-constructor.lua:2: t.packet is not in this version of tracer (1.0), did you mean t.packets?
]==]
