# Guest images: one PVH ELF for each guest/programs/*.c, linked with the runtime and the VF driver.

GUEST_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
    -fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-omit-frame-pointer \
    -Wall -Wextra -Wconversion -Werror -I.

GUEST_COMMON_C := $(sort $(wildcard guest/runtime/*.c guest/igbvf/*.c))
GUEST_COMMON_O := $(GUEST_COMMON_C:%.c=$(BUILD)/%.o) $(BUILD)/guest/runtime/entry.asm.o
GUEST_PROGRAMS := $(sort $(notdir $(basename $(wildcard guest/programs/*.c))))
GUEST_IMAGES   := $(GUEST_PROGRAMS:%=$(BUILD)/guest/%.elf)

$(BUILD)/guest/%.o: guest/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

$(GUEST_IMAGES): $(BUILD)/guest/%.elf: $(BUILD)/guest/programs/%.o $(GUEST_COMMON_O) guest/guest.ld
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static -z max-page-size=4096 -z noexecstack -T guest/guest.ld $(filter %.o,$^) -o $@

-include $(GUEST_COMMON_O:.o=.d) $(GUEST_PROGRAMS:%=$(BUILD)/guest/programs/%.d)
