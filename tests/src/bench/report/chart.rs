//! The chart: throughput and CPU per message by case, as ratios to the floor, in SVG.

use std::fmt::Write as _;

use crate::{candidate::Candidate, metric::Metric, results::CaseResults};

/// Servers in the chart, and the colour of their bars.
const SERIES: [(Candidate, &str); 6] = [
    (Candidate::Ours, "#1f6feb"),
    (Candidate::OursLogged, "#8ab8ff"),
    (Candidate::Tokio, "#e08a1e"),
    (Candidate::Thread, "#9a9a9a"),
    (Candidate::Nginx, "#2da44e"),
    (Candidate::Stunnel, "#a371f7"),
];

/// A panel of the chart.
struct Panel {
    metric: Metric,
    title: &'static str,
    /// It shows the cases over TLS, or the others.
    is_tls: bool,
}

/// Panels of the chart, from top to bottom.
const PANELS: [Panel; 4] = [
    Panel {
        metric: Metric::Rate,
        title: "Throughput, as a ratio to a bare epoll loop (more is better)",
        is_tls: false,
    },
    Panel {
        metric: Metric::Cpu,
        title: "Server CPU per message, as a ratio to a bare epoll loop (less is better)",
        is_tls: false,
    },
    Panel {
        metric: Metric::Rate,
        title: "TLS: throughput, as a ratio to a bare epoll loop on rustls (more is better)",
        is_tls: true,
    },
    Panel {
        metric: Metric::Cpu,
        title: "TLS: server CPU per message, as a ratio to a bare epoll loop on rustls (less is better)",
        is_tls: true,
    },
];

const WIDTH: f64 = 1240.0;
const LEFT: f64 = 44.0;
const PANEL: f64 = 190.0;
const PANEL_GAP: f64 = 84.0;
const TOP: f64 = 64.0;
const BAR: f64 = 0.19;

/// Maximum ratio. A longer bar is cut, and its label has the ratio.
const MAX_RATIO: f64 = 2.5;

/// Draws the panels that have a case.
pub(crate) fn svg(results: &[CaseResults]) -> String {
    let panels: Vec<(&Panel, Vec<&CaseResults>)> = PANELS
        .iter()
        .map(|panel| (panel, results.iter().filter(|case| panel.shows(case)).collect()))
        .filter(|(_, cases): &(_, Vec<_>)| !cases.is_empty())
        .collect();
    let height = TOP + as_f64(panels.len()) * (PANEL + PANEL_GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#24292f\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let mut x = LEFT;
    for (candidate, colour) in SERIES {
        let title = candidate.title();
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"12\" width=\"12\" height=\"12\" fill=\"{colour}\"/>"
        );
        let _ = writeln!(svg, "<text x=\"{}\" y=\"22\">{title}</text>", x + 18.0);
        x += 130.0;
    }
    for (number, (panel, cases)) in panels.iter().enumerate() {
        draw(&mut svg, TOP + as_f64(number) * (PANEL + PANEL_GAP), panel, cases);
    }
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    /// Returns true if it has bars of this case. Rooms and UDP have other servers.
    fn shows(&self, case: &CaseResults) -> bool {
        let kind = case.case.kind;
        kind.is_tls() == self.is_tls
            && !kind.is_room()
            && !kind.is_udp()
            && case.ratio(Candidate::Ours, self.metric).is_some()
    }
}

/// Draws one panel: the title, the grid, and a group of bars per case.
fn draw(svg: &mut String, top: f64, panel: &Panel, cases: &[&CaseResults]) {
    draw_grid(svg, top, panel.title);
    let group = (WIDTH - 8.0 - LEFT) / as_f64(cases.len());
    for (place, case) in cases.iter().enumerate() {
        let left = LEFT + as_f64(place) * group;
        // Two lines, because a title in one line would overlap its neighbours.
        let (first, rest) = case.case.title.split_once(' ').unwrap_or((case.case.title, ""));
        for (line, text) in (0_u8..).zip([first, rest]) {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\">{text}</text>",
                left + group / 2.0,
                top + PANEL + 16.0 + 13.0 * f64::from(line),
            );
        }
        let bars = SERIES.into_iter().filter(|&(candidate, _)| candidate.supports(&case.case));
        for (bar, (candidate, colour)) in bars.enumerate() {
            let Some(ratio) = case.ratio(candidate, panel.metric) else { continue };
            let (x, width) = (left + group * (0.12 + as_f64(bar) * BAR), group * BAR * 0.9);
            let title = format!("{}, {}", case.case.title, candidate.title());
            draw_bar(svg, (x, top, width), ratio.median, colour, &title);
        }
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u8::try_from(count).expect("a chart has few parts"))
}

/// Returns the vertical position of a ratio in the panel at `top`.
fn y(top: f64, ratio: f64) -> f64 {
    top + PANEL - ratio.min(MAX_RATIO) / MAX_RATIO * PANEL
}

fn draw_grid(svg: &mut String, top: f64, title: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>",
        top - 14.0
    );
    for half in 0..=5_u8 {
        let tick = f64::from(half) / 2.0;
        let (at, right) = (y(top, tick), WIDTH - 8.0);
        let (colour, width) = if half == 2 { ("#24292f", 1.5) } else { ("#d8dee4", 1.0) };
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick:.1}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
}

fn draw_bar(
    svg: &mut String,
    (x, top, width): (f64, f64, f64),
    ratio: f64,
    colour: &str,
    title: &str,
) {
    let upper = y(top, ratio);
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{upper:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\">\
         <title>{title}: {ratio:.2}</title></rect>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"8\">{ratio:.2}</text>",
        top + PANEL - upper,
        x + width / 2.0,
        upper - 3.0,
    );
    if ratio > MAX_RATIO {
        // A gap shows that the bar is cut.
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {:.1}l{width:.1} -5\" stroke=\"#ffffff\" stroke-width=\"3\"/>",
            upper + 14.0
        );
    }
}
