#include "fleet/engine/step_time.h"

#include <math.h>
#include <stdlib.h>

double
step_time_predict_us(const struct step_time *time, const struct step_load *load)
{
    return hypot(time->alpha_us, time->beta_us * (double)load->new_tokens) + time->delta_us * (double)load->kv_tokens +
           time->epsilon_us * (double)load->attended + time->gamma_us * (double)load->sequences + time->host_us;
}
