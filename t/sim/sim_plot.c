
#include "sim.h"

#include <math.h>
#include <stdio.h>


#define SIM_PANEL_WIDTH   440
#define SIM_PANEL_HEIGHT  280
#define SIM_PANEL_LEFT    60
#define SIM_PANEL_TOP     50
#define SIM_PANEL_GAP     70
#define SIM_PLOT_HEIGHT   410
#define SIM_PLOT_MIN      10.0             /* ms */
#define SIM_PLOT_MAX      10000.0
#define SIM_PLOT_POINTS   160
#define SIM_PLOT_NINES    3.0              /* up to 99.9 % */


static void sim_plot_panel(FILE *file, double left, uint32_t nodes);
static void sim_plot_curve(FILE *file, double left,
    const sim_result_t *result, const char *color);
static void sim_plot_legend(FILE *file);
static double sim_plot_x(double left, double ms);
static double sim_plot_y(double quantile);


/* by sim_policy_e */

static const char  *sim_plot_colors[SIM_POLICIES] = {
    "#9a9a9a", "#b8860b", "#c0392b", "#222222", "#1f6fb4"
};


int
sim_plot(const char *path, sim_result_t results[][SIM_POLICIES],
    const uint32_t *nodes, uint32_t pools)
{
    FILE      *file;
    double     left, width;
    uint32_t   i, k;

    file = fopen(path, "w");
    if (file == NULL) {
        return -1;
    }

    width = SIM_PANEL_LEFT + pools * (SIM_PANEL_WIDTH + SIM_PANEL_GAP);

    fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
            "height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            width, SIM_PLOT_HEIGHT);

    for (i = 0; i < pools; i++) {
        left = SIM_PANEL_LEFT + i * (SIM_PANEL_WIDTH + SIM_PANEL_GAP);
        sim_plot_panel(file, left, nodes[i]);

        for (k = 0; k < SIM_POLICIES; k++) {
            if (results[i][k].nlatency != 0) {
                sim_plot_curve(file, left, &results[i][k],
                               sim_plot_colors[k]);
            }
        }
    }

    sim_plot_legend(file);
    fprintf(file, "</svg>\n");

    return (fclose(file) == 0) ? 0 : -1;
}


/* Latency by quantile: both in logarithms, the latter of what is beyond. */

static void
sim_plot_panel(FILE *file, double left, uint32_t nodes)
{
    double    x, y, ms;
    uint32_t  i;

    static const double  quantiles[] = { 0, 0.5, 0.9, 0.99, 0.999 };

    fprintf(file, "<text x=\"%.0f\" y=\"%d\" font-size=\"14\">%u nodes</text>"
            "\n", left, SIM_PANEL_TOP - 16, nodes);

    for (i = 0; i < 5; i++) {
        y = sim_plot_y(quantiles[i]);
        fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
                "stroke=\"#dddddd\"/>\n<text x=\"%.1f\" y=\"%.1f\" "
                "text-anchor=\"end\">%g %%</text>\n", left, y,
                left + SIM_PANEL_WIDTH, y, left - 6, y + 4,
                quantiles[i] * 100);
    }

    for (ms = SIM_PLOT_MIN; ms <= SIM_PLOT_MAX; ms *= 10) {
        x = sim_plot_x(left, ms);
        fprintf(file, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" "
                "stroke=\"#dddddd\"/>\n<text x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%g ms</text>\n", x, SIM_PANEL_TOP, x,
                SIM_PANEL_TOP + SIM_PANEL_HEIGHT, x,
                SIM_PANEL_TOP + SIM_PANEL_HEIGHT + 18, ms);
    }
}


static void
sim_plot_curve(FILE *file, double left, const sim_result_t *result,
    const char *color)
{
    double    quantile;
    uint32_t  i, at;

    fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
            "points=\"", color);

    for (i = 0; i <= SIM_PLOT_POINTS; i++) {
        quantile = 1 - pow(10, -SIM_PLOT_NINES * i / SIM_PLOT_POINTS);
        at = quantile * (result->nlatency - 1);

        fprintf(file, "%.1f,%.1f ", sim_plot_x(left, result->latency[at]),
                sim_plot_y(quantile));
    }

    fprintf(file, "\"/>\n");
}


static void
sim_plot_legend(FILE *file)
{
    double    x;
    uint32_t  i;

    for (i = 0; i < SIM_POLICIES; i++) {
        x = SIM_PANEL_LEFT + 150 * i;
        fprintf(file, "<line x1=\"%.0f\" y1=\"%d\" x2=\"%.0f\" y2=\"%d\" "
                "stroke=\"%s\" stroke-width=\"3\"/>\n<text x=\"%.0f\" "
                "y=\"%d\">%s</text>\n", x, SIM_PLOT_HEIGHT - 26, x + 24,
                SIM_PLOT_HEIGHT - 26, sim_plot_colors[i], x + 30,
                SIM_PLOT_HEIGHT - 22, i == SIM_GATEWAY
                ? sim_gateway_policy.name : sim_policies[i].name);
    }
}


static double
sim_plot_x(double left, double ms)
{
    ms = fmin(fmax(ms, SIM_PLOT_MIN), SIM_PLOT_MAX);

    return left + SIM_PANEL_WIDTH * log(ms / SIM_PLOT_MIN)
                  / log(SIM_PLOT_MAX / SIM_PLOT_MIN);
}


static double
sim_plot_y(double quantile)
{
    return SIM_PANEL_TOP
           + SIM_PANEL_HEIGHT * (1 + log10(1 - quantile) / SIM_PLOT_NINES);
}
