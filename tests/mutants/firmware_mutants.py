"""Rules of the firmware, each broken; see run."""

MUTANTS = [
    ("secrets are compared in the same time whichever byte differs", "applet/core/bytes.c",
     "	for (size_t i = 0; i < len; i++)\n		difference |= a[i] ^ b[i];",
     "	for (size_t i = 0; i < len && !difference; i++)\n		difference |= a[i] ^ b[i];",
     "test_firmware_figures"),
    ("an emulated board says that it can be debugged", "applet/port/cortex-m/mps2/debug.c",
     "return PORT_DEBUG_ENABLED;", "return PORT_DEBUG_DISABLED_PERMANENTLY;", "test_firmware"),
    ("a command that hangs is ended", "applet/port/cortex-m/mps2/watchdog.c",
     "CONTROL_INTERRUPT | CONTROL_RESET;", "0;", "test_firmware"),
    ("what the flash has, its image has", "applet/port/cortex-m/memory.c",
     "	if (!host_program(offset, word))\n		return false;\n", "", "test_firmware_power"),
]
