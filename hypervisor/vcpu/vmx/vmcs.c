/* SPDX-License-Identifier: MIT */
#include "hypervisor/vcpu/vmx/vmcs.h"

#include "hypervisor/base/log.h"

/* Of the instructions that are executed here. */
static const char *const error_texts[] = {
    [0] = "no VMCS is current to say why; if this is VMPTRLD: a wrong address or revision",
    [2] = "VMCLEAR with an invalid physical address",
    [3] = "VMCLEAR with the VMXON pointer",
    [4] = "VMLAUNCH with a VMCS that is not clear",
    [5] = "VMRESUME with a VMCS that was not launched",
    [6] = "VMRESUME after VMXOFF",
    [7] = "VM entry with invalid control fields: build/entry explains the vmx.vmcs lines",
    [8] = "VM entry with invalid host-state fields: build/entry explains the vmx.vmcs lines",
    [9] = "VMPTRLD with an invalid physical address",
    [10] = "VMPTRLD with the VMXON pointer",
    [11] = "VMPTRLD with a wrong VMCS revision identifier",
    [12] = "VMREAD or VMWRITE of a VMCS component that this CPU does not have",
    [13] = "VMWRITE to a read-only VMCS component",
    [26] = "VM entry with events blocked by MOV SS",
    [28] = "INVEPT or INVVPID with an invalid operand",
};

const char *vmx_instruction_error_text(uint64_t error)
{
    if (error < ARRAY_SIZE(error_texts) && error_texts[error] != NULL)
        return error_texts[error];
    return "an error that is not to be expected: SDM 3C 31.4 has the numbers";
}

#if !__STDC_HOSTED__

static uint64_t instruction_error(void)
{
    uint64_t error;
    bool done;
    __asm__ volatile("vmread %2, %0"
                     : "=r"(error), "=@cca"(done)
                     : "r"((uint64_t)VMCS_INSTRUCTION_ERROR));
    return done ? error : 0;
}

void vmcs_access_failed(const char *instruction, uint32_t field)
{
    uint64_t error = instruction_error();
    log_event("vmx.failed", "instruction=%s field=0x%x error=%lu message=\"%s\"", instruction,
              field, error, vmx_instruction_error_text(error));
}

static enum status instruction_result(bool done, const char *instruction, uint64_t operand)
{
    if (done)
        return STATUS_OK;
    uint64_t error = instruction_error();
    log_event("vmx.failed", "instruction=%s operand=0x%lx error=%lu message=\"%s\"", instruction,
              operand, error, vmx_instruction_error_text(error));
    return STATUS_DEVICE;
}

enum status vmcs_load(uint64_t physical)
{
    bool done;
    __asm__ volatile("vmptrld %1" : "=@cca"(done) : "m"(physical) : "memory");
    return instruction_result(done, "vmptrld", physical);
}

enum status vmcs_clear(uint64_t physical)
{
    bool done;
    __asm__ volatile("vmclear %1" : "=@cca"(done) : "m"(physical) : "memory");
    return instruction_result(done, "vmclear", physical);
}

void vmx_invept(uint64_t type, uint64_t ept_pointer)
{
    const struct invept_descriptor descriptor = {.ept_pointer = ept_pointer};
    bool done;
    __asm__ volatile("invept %1, %2" : "=@cca"(done) : "m"(descriptor), "r"(type) : "memory");
    (void)instruction_result(done, "invept", ept_pointer);
}

void vmx_invvpid(uint64_t type, uint16_t vpid)
{
    const struct invvpid_descriptor descriptor = {.vpid = vpid};
    bool done;
    __asm__ volatile("invvpid %1, %2" : "=@cca"(done) : "m"(descriptor), "r"(type) : "memory");
    (void)instruction_result(done, "invvpid", vpid);
}

#endif
