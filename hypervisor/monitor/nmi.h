/* SPDX-License-Identifier: MIT */
/* NMIs of the machine itself: a button, or a bus that reports an error. */
#pragma once

/* Logs those that core 0 has taken since the last call. Nothing of ours sends it any. */
void nmi_report(void);
