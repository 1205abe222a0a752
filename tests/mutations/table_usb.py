# SPDX-License-Identifier: MIT
"""Mutations of what concerns USB: who types at the prompt, firmware's letting go of controllers, their reset."""

from . import scenarios
from .kinds import Edit, Mutation, System, Unit, failed

CALLS = "hypervisor/vdev/calls.c"
USB = "boot/pci/usb.c"
SILENCE = "boot/pci/silence.c"

USB_MUTATIONS = (
    Mutation("anybody-types", "only the guest with console_input = yes types at the prompt",
             (Edit(CALLS, "    if (!guest->config->console_input) {", "    if (!guest->config->console_input && character == 0) {"),),
             (Unit("test_console_input", failed("only_who_may")),
              System(scenarios.typing, r"run\.unexpected guest=alpha .*got=monitor")), quick=True),
    Mutation("typing-without-limit", "a guest types 50 characters a second at most",
             (Edit(CALLS, "    if (typed == 0 || !deadline_passed(next))", "    if (typed == 0 || (!deadline_passed(next) && typed == 0))"),),
             (Unit("test_console_input", failed("a_flood_is_held_to_a_rate")),)),
    Mutation("any-byte-typed", "what is typed is a character of a keyboard's",
             (Edit(CALLS, "character == 0 || character > KEY_LAST", "character == 0"),),
             (Unit("test_console_input", failed("nothing_else")),)),
    Mutation("two-may-type", "one guest at most types at the prompt",
             (Edit("hypervisor/config/config_keys.c", "        if (parser->config->guests[i].console_input)",
                   "        if (parser->config->guests[i].console_input && i == UINT32_MAX)"),),
             (Unit("test_config", failed(r"\w+")),)),
    Mutation("refused-guest-types", "a guest that was refused is nobody at the prompt",
             (Edit("hypervisor/setup/console_input.c", " || guest->state != GUEST_CREATED)", ")"),),
             (Unit("test_console_input", failed("the_console_listens_to_it")),)),
    Mutation("firmware-not-asked", "firmware is asked for a USB controller before that loses bus mastering",
             (Edit(SILENCE, "(uint8_t)usb_take(usb->rid, usb->interface);", "BOOT_USB_TAKEN;"),),
             (Unit("test_silence", failed("usb_controllers_come_last")),)),
    Mutation("usb-keeps-mastering", "a USB controller loses bus mastering once firmware was asked for it",
             (Edit(SILENCE, "        silence_function(usb->rid,\n", "        if (usb->result == BOOT_USB_UNUSED)\n            silence_function(usb->rid,\n"),),
             (Unit("test_silence", failed("usb_controllers_come_last")),)),
    Mutation("firmware-waited-for-too-long", "firmware has a second to let go",
             (Edit(USB, "#define HAND_OFF_TIME MILLISECONDS(1000)", "#define HAND_OFF_TIME MILLISECONDS(3000)"),),
             (Unit("test_usb_handoff", failed("a_bios_that_does_not_let_go")),)),
    Mutation("usb-smis-left-on", "a controller that was taken raises no SMI",
             (Edit(USB, "(control & XHCI_LEGCTLSTS_KEEP) | LEGCTLSTS_EVENTS);", "control | LEGCTLSTS_EVENTS);"),),
             (Unit("test_usb_handoff", failed("xhci_is_handed_over")),)),
    Mutation("usb-left-running", "a controller halts before it loses bus mastering",
             (Edit(USB, "command & ~XHCI_USBCMD_ACTIVE);", "command);"),),
             (Unit("test_usb_handoff", failed(r"\w+")),)),
    Mutation("registers-beyond-reach", "registers are touched only where the tables in use map them",
             (Edit(USB, "    if (registers->lost || !paging_reaches(address))\n", "    if (registers->lost)\n"),),
             (Unit("test_usb_handoff", failed("what_cannot_be_reached")),)),
    Mutation("display-unconfined", "a display of the chipset masters the bus only where it is confined",
             (Edit("hypervisor/setup/pci_displays.c", "            !iommu_firmware_connected(function->rid))", "            iommu_firmware_connected(function->rid))"),),
             (Unit("test_displays", failed(r"\w+")),)),
    Mutation("xhci-reset-believed", "an xHCI's reset has to have been one",
             (Edit("hypervisor/pci/reset_xhci.c", "           (mmio_read32(at + CONFIG) & CONFIG_SLOTS) == 0;", "           at != 0;"),),
             (Unit("test_reset_xhci", failed("a_reset_that_was_none_is_noticed")),)),
)
