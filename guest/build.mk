# SPDX-License-Identifier: MIT
# Guest images: one PVH ELF for each guest/programs/*.c, linked with the runtime and the VF driver, keyboard.c and
# usbrogue.c with guest/usb/ besides; one of guest/architecture/; and a Multiboot kernel for 32 bits.

GUEST_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-omit-frame-pointer \
    -Wall -Wextra -Wconversion -Werror -I.

GUEST_COMMON_C := $(sort $(wildcard guest/runtime/*.c guest/igbvf/*.c))
GUEST_COMMON_O := $(GUEST_COMMON_C:%.c=$(BUILD)/%.o) $(BUILD)/guest/runtime/entry.asm.o $(BUILD)/guest/runtime/second.asm.o
GUEST_PROGRAMS := $(sort $(notdir $(basename $(wildcard guest/programs/*.c))))
GUEST_PVH      := $(GUEST_PROGRAMS:%=$(BUILD)/guest/%.elf)
GUEST_IMAGES   := $(GUEST_PVH) $(BUILD)/guest/architecture.elf $(BUILD)/guest/multiboot.elf
USB_O          := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard guest/usb/*.c)))
ARCHITECTURE_O := $(patsubst %,$(BUILD)/%.o,$(basename $(sort $(wildcard guest/architecture/*.c)))) \
    $(patsubst %,$(BUILD)/%.o,$(sort $(wildcard guest/architecture/*.asm)))

flags.guest = $(COMPILER) $(GUEST_CFLAGS)
flags.guest-link = $(LD) $(GUEST_COMMON_O) $(USB_O) $(ARCHITECTURE_O) $(MULTIBOOT_O)
$(BUILD)/guest/%.o: guest/%.c $(BUILD)/flags/guest
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(GUEST_PVH): $(BUILD)/guest/%.elf: $(BUILD)/guest/programs/%.o $(GUEST_COMMON_O) guest/guest.ld $(BUILD)/flags/guest-link
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static -z max-page-size=4096 -z noexecstack -T guest/guest.ld $(filter %.o,$^) -o $@

$(BUILD)/guest/keyboard.elf $(BUILD)/guest/usbrogue.elf: $(USB_O)

$(BUILD)/guest/architecture.elf: $(ARCHITECTURE_O) $(GUEST_COMMON_O) guest/guest.ld $(BUILD)/flags/guest-link
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static -z max-page-size=4096 -z noexecstack -T guest/guest.ld $(filter %.o,$^) -o $@

-include $(USB_O:.o=.d) $(ARCHITECTURE_O:.o=.d)
-include $(GUEST_COMMON_O:.o=.d) $(GUEST_PROGRAMS:%=$(BUILD)/guest/programs/%.d)

MULTIBOOT_O := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard guest/multiboot/*.c)))
$(MULTIBOOT_O): $(BUILD)/%.o: %.c $(BUILD)/flags/guest
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(filter-out -mno-red-zone,$(GUEST_CFLAGS)) -m32 -MMD -MP -c $< -o $@

-include $(MULTIBOOT_O:.o=.d)

$(BUILD)/guest/multiboot/entry.o: guest/multiboot/entry.asm $(BUILD)/flags/asm
	@mkdir -p $(@D)
	$(call say,ASM,$<)
	$(Q)$(NASM) -f elf32 $< -o $@

$(BUILD)/guest/multiboot.elf: $(BUILD)/guest/multiboot/entry.o $(MULTIBOOT_O) guest/multiboot/kernel.ld $(BUILD)/flags/guest-link
	$(call say,LD,$@)
	$(Q)$(LD) -m elf_i386 -nostdlib -static -z max-page-size=4096 -z noexecstack -T guest/multiboot/kernel.ld $(filter %.o,$^) -o $@

# The start stub: loads any image from inside of the guest. bulkhead.elf carries it (hypervisor/guest/start_stub.asm).
START_O := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard guest/start/*.c))) $(BUILD)/guest/start/entry.asm.o \
    $(BUILD)/guest/start/base/string.o $(BUILD)/guest/start/base/text.o
START_CFLAGS := $(GUEST_CFLAGS) -ffunction-sections -fdata-sections

flags.start = $(COMPILER) $(START_CFLAGS)
flags.start-link = $(LD) $(START_O)
$(BUILD)/guest/start/%.o: guest/start/%.c $(BUILD)/flags/start
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(START_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/guest/start/base/%.o: hypervisor/base/%.c $(BUILD)/flags/start
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(START_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/guest/start.elf: $(START_O) guest/start/start.ld $(BUILD)/flags/start-link
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static -z noexecstack --gc-sections -T guest/start/start.ld $(START_O) -o $@

$(BUILD)/guest/start.bin: $(BUILD)/guest/start.elf
	$(Q)$(OBJCOPY) -O binary $< $@

-include $(START_O:.o=.d)
